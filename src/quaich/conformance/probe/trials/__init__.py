"""What servers are asked, a function for each rule. Importing this registers all of them."""

from quaich.conformance.probe.trials import chunks as chunks
from quaich.conformance.probe.trials import connections as connections
from quaich.conformance.probe.trials import content as content
from quaich.conformance.probe.trials import endings as endings
from quaich.conformance.probe.trials import expectations as expectations
from quaich.conformance.probe.trials import fields as fields
from quaich.conformance.probe.trials import lines as lines
from quaich.conformance.probe.trials import messages as messages
from quaich.conformance.probe.trials import request_line as request_line
from quaich.conformance.probe.trials import targets as targets
from quaich.conformance.probe.trials import wsgi_call as wsgi_call
from quaich.conformance.probe.trials import wsgi_environ as wsgi_environ
from quaich.conformance.probe.trials import wsgi_files as wsgi_files
from quaich.conformance.probe.trials import wsgi_flags as wsgi_flags
from quaich.conformance.probe.trials import wsgi_input as wsgi_input
from quaich.conformance.probe.trials import wsgi_response as wsgi_response
from quaich.conformance.probe.trials import wsgi_start as wsgi_start
