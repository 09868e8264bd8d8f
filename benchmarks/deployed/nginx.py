"""What nginx is told. Words between @ are filled in by :func:`configure`.

One worker without an access log, as the other servers have here. A connection may have any number
of requests: the default, 1000, would have nginx close those of wrk.
"""

import getpass
import os
from collections.abc import Mapping
from typing import Final

_FRAME: Final = """
daemon off;
worker_processes 1;
pid @DIRECTORY@/nginx.pid;
error_log stderr;
@USER@
events { worker_connections 1024; }
http {
    access_log off;
    server_tokens off;
    default_type application/octet-stream;
    keepalive_requests 100000000;
    client_body_temp_path @DIRECTORY@/body;
    proxy_temp_path @DIRECTORY@/proxied;
    fastcgi_temp_path @DIRECTORY@/fastcgi;
    uwsgi_temp_path @DIRECTORY@/uwsgi;
    scgi_temp_path @DIRECTORY@/scgi;
    %s
}
"""

FILES: Final = (
    _FRAME
    % """
    sendfile on;
    tcp_nopush on;
    server {
        listen 127.0.0.1:@PORT@ backlog=1024;
        location /static/ { alias @FILES@/; }
    }
"""
)

# Connections to the server are kept; without the two lines of version and field they are not.
PROXY: Final = (
    _FRAME
    % """
    upstream application {
        server unix:@SOCKET@;
        keepalive 64;
        keepalive_requests 100000000;
    }
    server {
        listen 127.0.0.1:@PORT@ backlog=1024;
        location / {
            proxy_pass http://application;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
        }
    }
"""
)

# uWSGI's own protocol: a connection for each request, there is no other way.
PROXY_UWSGI: Final = (
    _FRAME
    % """
    server {
        listen 127.0.0.1:@PORT@ backlog=1024;
        location / {
            uwsgi_pass unix:@SOCKET@;
            uwsgi_param QUERY_STRING $query_string;
            uwsgi_param REQUEST_METHOD $request_method;
            uwsgi_param CONTENT_TYPE $content_type;
            uwsgi_param CONTENT_LENGTH $content_length;
            uwsgi_param REQUEST_URI $request_uri;
            uwsgi_param PATH_INFO $document_uri;
            uwsgi_param DOCUMENT_ROOT $document_root;
            uwsgi_param SERVER_PROTOCOL $server_protocol;
            uwsgi_param REQUEST_SCHEME $scheme;
            uwsgi_param REMOTE_ADDR $remote_addr;
            uwsgi_param REMOTE_PORT $remote_port;
            uwsgi_param SERVER_PORT $server_port;
            uwsgi_param SERVER_NAME $server_name;
        }
    }
"""
)

COMMAND: Final = ("{nginx}", "-p", "{directory}/", "-c", "{directory}/nginx.conf", "-e", "stderr")


def configure(template: str, places: Mapping[str, str]) -> str:
    """The configuration, in which the worker is the user that this process is: as root it would be
    another, and could not read what is here."""
    filled = {**places, "user": f"user {getpass.getuser()};" if os.geteuid() == 0 else ""}
    for name, value in filled.items():
        template = template.replace(f"@{name.upper()}@", value)
    return template
