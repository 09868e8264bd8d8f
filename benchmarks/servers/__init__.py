"""The pieces of ``benchmarks/server.py``: Quaich's server against others.

    workloads.py      what is asked: records of an application, requests and connections
    applications.py   what answers: plain WSGI, the same for every server
    load.lua          the requests of each workload, and wrk's figures as JSON
    load.py           one run of wrk
    peers.py          the servers, and the command that starts each
    launch.py         starts those that have no command of their own
    environment.py    the virtualenv of the servers, and what has to be on the system
    process.py        a server's process: start, time of CPU, memory, end
    answers.py        whether a server answers a workload rightly
    measuring.py      the rounds; gives samples
    comparison.py     samples → rows, ratios and goals
    report.py         all of it as text and as JSON
    chart.py          the same as SVG

The main figure is the server's time of CPU per request answered, in microseconds, since on two
cores wrk is the slower side of some workloads. The absolute figures depend on the machine and on
what else it does. So the servers take turns within every round, and what counts is the ratio of
two servers in the same round; its median over the rounds is what the report shows.

wrk corrects its latencies for coordinated omission: an answer that takes longer than its
connection's usual interval counts as the several answers that it was in the way of. Where few
answers are slow, its 50th percentile is therefore higher than most answers took.
"""
