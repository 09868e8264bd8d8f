"""The pieces of ``benchmarks/operations.py``: servers as they are deployed.

    rows.py          what is compared with what: the table
    candidates.py    the commands that start each server for a row
    nginx.py         what nginx is told, as a server of files and as a proxy
    shop.py          an application with a framework, for memory and reloads
    measuring.py     the rounds; gives samples
    certificate.py   a certificate, and a client that takes it
    handshakes.py    a load of TLS connections that are used once
    memory.py        what the processes take
    reloading.py     a reload under load, and the clients that count what is lost
    report.py        samples → medians, ratios, Markdown and JSON

Servers' processes, wrk, the answers looked at before a measurement, and the virtualenv are those of
the package ``benchmarks.servers``. As there, all candidates of a row take turns within a round, and
what counts is the ratio of two of them in the same round: its median over the rounds.
"""
