"""From the manual of wsgiref, on make_server() and demo_app()."""

from quaich.simple_server import demo_app, make_server

if __name__ == "__main__":
    with make_server("", 8000, demo_app) as httpd:
        print("Serving HTTP on port 8000...")

        # Respond to requests until process is killed
        httpd.serve_forever()

        # Alternative: serve one request, then exit
        httpd.handle_request()
