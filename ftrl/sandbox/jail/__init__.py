"""What runs on the far side of the wall: a worker process that imports nothing but the standard library.

The worker is started from ``__main__.py`` under a bare interpreter. It builds its jail layer by layer
(``worker``), tells which layers hold, and then serves calls (``zygote``): each in a child forked for it alone
(``tool_call``). The main process imports only ``wire`` and ``moment`` from here.
"""
