"""What the process is to the system.

==================  ========================================================================
``process``         its variables, directory, owner and title
``pidfile``         a file with its number
``directory``       the current one, and by which name
``env_file``        files of variables
``directory_lock``  among processes that change something in a directory
``notify``          telling the service manager how it goes
==================  ========================================================================
"""
