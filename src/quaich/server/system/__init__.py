"""What the process is to the system.

==================  ========================================================================
``process``         its variables, owner, pidfile and title
``env_file``        files of variables
``directory_lock``  among processes that change something in a directory
``notify``          telling the service manager how it goes
==================  ========================================================================
"""
