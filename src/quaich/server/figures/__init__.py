"""What a server says of itself, in numbers.

============  ==============================================================================
``counters``  what a worker counts of its requests
``board``     the memory in which all processes say it
``worker``    what a worker puts on the board
``statsd``    the same for a statsd server
============  ==============================================================================
"""
