"""The threads, and the calls that they make.

=============  ===========================================================================
``crew``       who leads, who watches, who answers
``predictor``  which requests are likely to be slow
``calling``    who calls the application, and what follows a call
``deadlines``  calls that take too long
=============  ===========================================================================
"""
