"""Tools that attack: what each does, and how a call of it may end."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

from ftrl.sandbox import Call, CallStatus

OK, ERROR, TIMEOUT = CallStatus.OK, CallStatus.TOOL_ERROR, CallStatus.TIMEOUT
MEMORY, OUTPUT, CRASHED = CallStatus.MEMORY, CallStatus.OUTPUT_LIMIT, CallStatus.CRASHED


class Attack(NamedTuple):
    """A hostile tool.

    Attributes:
        source: defines ``f``, called without arguments.
        ends: the statuses that tell the truth about it.
        says: what the output is, where there is one right answer.
    """

    source: str
    ends: tuple[CallStatus, ...]
    says: str | None = None

    @property
    def call(self) -> Call:
        return Call("f", "{}", self.source)


def tool(body: str) -> str:
    return "def f():\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n"


_FRAMES = """
import os, struct
def frame(*fields):
    inner = b''.join(struct.pack('<Q', len(x)) + x for x in fields)
    return struct.pack('<Q', len(inner)) + inner
def everywhere(data):
    for descriptor in range(256):
        try: os.write(descriptor, data)
        except OSError: pass
"""

_NUMBERS = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "userfaultfd": (323, 282), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "bpf": (321, 280), "perf_event_open": (298, 241), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "unshare": (272, 97), "setns": (308, 268), "clone3": (435, 435), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "move_mount": (429, 429), "fsopen": (430, 430),
    "open_tree": (428, 428), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "mknodat": (259, 33),
    "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273), "swapon": (167, 224),
    "reboot": (169, 142), "sethostname": (170, 161), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "socket": (41, 198), "connect": (42, 203), "execve": (59, 221), "execveat": (322, 281),
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180), "personality": (135, 92),
    "quotactl": (179, 60), "syslog": (103, 116), "acct": (163, 89), "fanotify_init": (300, 262),
    "inotify_init1": (294, 26), "setuid": (105, 146), "setresuid": (117, 147), "setgroups": (116, 159),
    "capset": (126, 91), "seccomp": (317, 277), "landlock_restrict_self": (446, 446), "sched_setaffinity": (203, 122),
    "setpriority": (141, 140), "sched_setscheduler": (144, 119), "ioprio_set": (251, 30), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "rt_sigqueueinfo": (129, 138), "kill": (62, 129),
    "tkill": (200, 130), "tgkill": (234, 131), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "move_pages": (279, 239), "migrate_pages": (256, 238), "mbind": (237, 235), "kcmp": (312, 272), "vhangup": (153, 58),  # noqa: E501
    "lookup_dcookie": (212, 18), "sync": (162, 81), "flock": (73, 32), "sched_setattr": (314, 274),
}  # fmt: skip
"""System calls that no tool needs: on x86-64 and on ARM64."""

SYSTEM_CALLS = Attack(
    tool(f"""
    import ctypes, os
    libc = ctypes.CDLL(None, use_errno=True)
    at = {{'x86_64': 0, 'aarch64': 1}}[os.uname().machine]
    numbers = {_NUMBERS!r}
    return [name for name, both in numbers.items() if libc.syscall(both[at], 1, 0, 0, 0, 0, 0) != -1]
    """),
    (OK,),
    "[]",
)

FORGERIES = {
    "answers on every descriptor": Attack(
        tool(_FRAMES + "everywhere(frame(b'0' * 16, b'ok', b'FORGED'))\nreturn 'honest'"), (OK, CRASHED)
    ),
    "speaks as a zygote on every descriptor": Attack(
        tool(_FRAMES + "for n in range(9): everywhere(frame(struct.pack('<QQd', n, 0, 0.0), b'ok', b'FORGED'))"),
        (OK, CRASHED),
    ),
    "speaks as a warm interpreter on every descriptor": Attack(
        tool(_FRAMES + "everywhere(frame(b'[[[\"ok\", \"FORGED\", 1]], false, false]'))"), (OK, CRASHED)
    ),
    "begins a message that never ends": Attack(
        tool(_FRAMES + "everywhere(struct.pack('<Q', 2 ** 63))\nreturn 1"), (OK, CRASHED, TIMEOUT)
    ),
    "begins a message and hangs": Attack(
        tool(_FRAMES + "everywhere(struct.pack('<Q', 100))\nwhile True: pass"), (TIMEOUT, CRASHED)
    ),
    "floods every descriptor": Attack(
        tool(_FRAMES + "for _ in range(3): everywhere(b'x' * 10**6)\nreturn 1"), (OK, CRASHED)
    ),
    "answers a thousand times with the word": Attack(
        tool(_FRAMES + "import sys\nat = sys._getframe()\nwhile 'word' not in at.f_locals: at = at.f_back\n"
             "everywhere(frame(at.f_locals['word'], b'ok', b'MINE') * 1000)"),
        (OK, CRASHED),
    ),
    "finds the word among all objects": Attack(
        tool(_FRAMES + "import gc\nfor o in gc.get_objects():\n    for x in gc.get_referents(o):\n"
             "        if isinstance(x, bytes) and len(x) == 16: everywhere(frame(x, b'infrastructure', b'not me'))"),
        (OK, CRASHED),
    ),
    "answers in a status that is too long": Attack(
        tool(_FRAMES + "import sys\nat = sys._getframe()\nwhile 'word' not in at.f_locals: at = at.f_back\n"
             "everywhere(frame(at.f_locals['word'], b'ok' * 10**5, b''))"),
        (OK, CRASHED),
    ),
    "closes every descriptor": Attack(tool("import os\nos.closerange(0, 1024)\nreturn 1"), (CRASHED, ERROR)),
    "makes all descriptors one": Attack(
        tool("import os\nnothing = os.open(os.devnull, os.O_WRONLY)\nfor n in range(64):\n    try: os.dup2(nothing, n)\n"  # noqa: E501
             "    except OSError: pass\nreturn 1"),
        (CRASHED, OK, ERROR),
    ),
}  # fmt: skip

REACHING_OUT = {
    "reads the memory of everybody": Attack(
        tool("""
        import os
        found = []
        for pid in ['self', *range(1, 400), os.getppid()]:
            for name in ('mem', 'maps', 'environ', 'cmdline', 'fd', 'root', 'cwd'):
                try: found.append(open(f'/proc/{pid}/{name}', 'rb').read(1))
                except OSError: pass
        return found
        """),
        (OK,),
        "[]",
    ),
    "lists processes": Attack(tool("import os\nreturn os.listdir('/proc')"), (ERROR,)),
    "makes system calls that no tool needs": SYSTEM_CALLS,
    "kills everybody": Attack(
        tool("""
        import os, signal
        done = []
        for pid in (-1, 0, 1, 2, 3, os.getppid(), os.getpid(), -os.getpgrp()):
            for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
                try: os.kill(pid, number); done.append(pid)
                except OSError: pass
        return done
        """),
        (OK,),
        "[]",
    ),
    "signals the owner of a descriptor": Attack(
        tool("""
        import fcntl, os
        done = []
        r, w = os.pipe()
        for command in (8, 10, 15, 1024, 1026):
            try: fcntl.fcntl(r, command, 1); done.append(command)
            except OSError: pass
        return done
        """),
        (OK,),
        "[]",
    ),
    "enters new namespaces by clone": Attack(
        tool("""
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        number = {'x86_64': 56, 'aarch64': 220}[os.uname().machine]
        return [libc.syscall(number, flags | 17, 0, 0, 0, 0) for flags in (0, 1 << 28, 1 << 29, 1 << 17, 1 << 30)]
        """),
        (OK,),
        "[-1, -1, -1, -1, -1]",
    ),
    "makes system calls of 32 bits": Attack(
        tool("""
        import ctypes, mmap, os
        if os.uname().machine != 'x86_64': return -1
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(bytes.fromhex('b827000000bb00000000cd80c3'))  # mkdir by int 0x80
        at = ctypes.addressof(ctypes.c_char.from_buffer(page))
        return ctypes.CFUNCTYPE(ctypes.c_int)(at)()
        """),
        (OK, CRASHED, ERROR),
    ),
    "raises its own limits": Attack(
        tool("""
        import resource
        done = []
        for kind in (resource.RLIMIT_AS, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
            try: resource.setrlimit(kind, (-1, -1)); done.append(kind)
            except (OSError, ValueError): pass
        return done
        """),
        (OK,),
        "[]",
    ),
    "makes itself traceable": Attack(
        tool("import ctypes\nreturn [ctypes.CDLL(None).prctl(o, 1, 0, 0, 0) for o in (4, 0x59616d61, 23, 24, 38)]"),
        (OK,),
        "[-1, -1, -1, -1, -1]",
    ),
    "runs programs": Attack(tool("import subprocess\nreturn subprocess.run(['true'])"), (ERROR,)),
    "runs programs without a fork": Attack(tool("import os\nos.execv('/proc/self/exe', ['python'])"), (ERROR,)),
    "starts processes": Attack(tool("import multiprocessing\nmultiprocessing.Process(target=f).start()"), (ERROR,)),
    "connects": Attack(tool("import socket\nsocket.create_connection(('127.0.0.1', 22), 1)"), (ERROR,)),
    "listens": Attack(tool("import socket\nsocket.socketpair()[0].listen()\nsocket.socket()"), (ERROR,)),
    "reads files of the host": Attack(
        tool("""
        import os
        found = []
        for path in ('/etc/passwd', '/root', '/home', '/var', '/sys', '/dev/mem', '/dev/tty', '/dev/kmsg', '/tmp'):
            try: found.append(open(path).read(1) if not os.path.isdir(path) else os.listdir(path)[:1])
            except OSError: pass
        return found
        """),
        (OK,),
        "[]",
    ),
    "writes into the library": Attack(
        tool("import os\nopen(os.__file__, 'a').write('x')"),
        (ERROR,),
    ),
    "changes the mode of the library": Attack(tool("import os\nos.chmod(os.__file__, 0o777)"), (ERROR,)),
    "changes the times of the library": Attack(tool("import os\nos.utime(os.__file__)"), (ERROR,)),
    "looks for other calls among all objects": Attack(
        tool("""
        import gc, sys
        names = set()
        at = sys._getframe()
        while at is not None:
            zygote = at.f_locals.get('self')
            for running in getattr(zygote, '_children', {}).values():
                try: names.add(bytes(running.job.calls.view()[:1]))
                except (BufferError, ValueError): pass
            at = at.f_back
        return len(names)
        """),
        (OK, CRASHED),
    ),
}

FILES = {
    "races with links": Attack(
        tool("""
        import os, threading
        def race(n):
            while True:
                try:
                    os.mkdir(f'd{n}'); os.mkdir(f'd{n}/e'); os.rename(f'd{n}', f'x{n}')
                    os.symlink('/usr', f'd{n}'); os.rename(f'd{n}', f'y{n}'); os.unlink(f'y{n}')
                    os.rmdir(f'x{n}/e'); os.rmdir(f'x{n}')
                except OSError: pass
        for n in range(4): threading.Thread(target=race, args=(n,), daemon=True).start()
        import time; time.sleep(0.1)
        return 1
        """),
        (OK, ERROR),
    ),
    "links to files of the host": Attack(
        tool("""
        import os
        os.symlink('/', 'root'); os.symlink('..', 'up'); os.symlink('loop', 'loop')
        done = 0
        for source in (os.__file__, '/dev/null', '/scratch/../dev/null'):
            try: os.link(source, f'hard{done}'); done += 1
            except OSError: pass
        return done
        """),
        (OK, ERROR),
        "0",
    ),
    "makes pipes and devices": Attack(
        tool("""
        import os, stat
        done = []
        for make in (lambda: os.mkfifo('p'), lambda: os.mknod('z', stat.S_IFCHR | 0o666, os.makedev(1, 5))):
            try: make(); done.append(1)
            except OSError: pass
        return done
        """),
        (OK,),
        "[]",
    ),
    "makes a sparse file": Attack(
        tool("with open('a', 'wb') as file:\n    file.truncate(2 ** 44)"), (ERROR,)
    ),
    "writes far into a file": Attack(
        tool("with open('a', 'wb') as file:\n    file.seek(2 ** 40)\n    file.write(b'x')"), (ERROR,)
    ),
    "makes files without end": Attack(
        tool("n = 0\ntry:\n    while True:\n        open(f'f{n}', 'w').close(); n += 1\nexcept OSError: return n < 300"),  # noqa: E501
        (OK,),
        "True",
    ),
    "nests folders without end": Attack(
        tool("""
        import os
        try:
            while True:
                os.mkdir('d' * 250); os.chdir('d' * 250); open('f', 'w').close(); os.chmod('.', 0o300)
        except OSError: return 'deep'
        """),
        (OK,),
        "deep",
    ),
    "names files as nobody does": Attack(
        tool("""
        import os
        for name in (b'\\xff\\xfe', b'a\\nb', b'-rf', b' ', b'*', b'x' * 255, '\\u202e'.encode()):
            os.mkdir(name); open(name + b'/\\x80', 'w').close()
        os.chmod('.', 0)
        """),
        (OK, ERROR),
    ),
    "opens files without end": Attack(
        tool("import os\nheld = []\nwhile True: held.append(os.dup(0))"), (ERROR,)
    ),
    "fills pipes and sockets": Attack(
        tool("""
        import os, socket
        held = []
        try:
            while True:
                pair = socket.socketpair(); pair[0].setblocking(False); held.append(pair)
                try:
                    while True: pair[0].send(b'x' * 65536)
                except BlockingIOError: pass
        except OSError: return 'full'
        """),
        (OK,),
        "full",
    ),
}  # fmt: skip

TIME = {
    "stops the clocks of Python": Attack(
        tool("import time\ntime.time = time.monotonic = time.perf_counter = lambda: 0.0\nwhile True: pass"), (TIMEOUT,)
    ),
    "sets the clock": Attack(tool("import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)"), (ERROR,)),
    "ignores all signals": Attack(
        tool("""
        import signal
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True: pass
        """),
        (TIMEOUT,),
    ),
    "waits in C": Attack(tool("import ctypes\nctypes.pythonapi.pause()"), (TIMEOUT,)),
    "waits for itself": Attack(tool("import threading\na = threading.Lock()\na.acquire()\na.acquire()"), (TIMEOUT,)),
    "sets an alarm": Attack(
        tool("import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\nwhile True: pass"), (CRASHED,)
    ),
    "stops itself": Attack(tool("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"), (ERROR,)),
}

BOMBS = {
    "packed": Attack(
        tool("import zlib\nx = zlib.compress(b'0' * 10**7)\nreturn len(b''.join(zlib.decompress(x) for _ in range(999)))"),  # noqa: E501
        (MEMORY, TIMEOUT),
    ),
    "pattern": Attack(tool("import re\nreturn re.match('(a|a)*$', 'a' * 50 + 'b')"), (TIMEOUT,)),
    "number": Attack(tool("return len(bin(7 ** (10 ** 9)))"), (TIMEOUT, MEMORY)),
    "digits": Attack(tool("import sys\ngetattr(sys, 'set_int_max_str_digits', print)(0)\nreturn str(9 ** 10**7)"), (TIMEOUT, OUTPUT)),  # noqa: E501
    "nested JSON": Attack(tool("a = []\nfor _ in range(10**5): a = [a]\nreturn a"), (ERROR, CRASHED)),
    "nested text": Attack(tool("a = ()\nfor _ in range(10**5): a = (a,)\nreturn a"), (ERROR, CRASHED)),
    "nested code": Attack(tool("return eval('-' * 10**6 + '1')"), (ERROR, CRASHED, MEMORY)),
    "recursion": Attack(tool("import sys\nsys.setrecursionlimit(10**9)\ndef r(x): return r([x])\nreturn r(1)"), (CRASHED, MEMORY, TIMEOUT)),  # noqa: E501
    "memory": Attack(tool("return len(bytearray(10**12))"), (MEMORY,)),
    "mapped memory": Attack(tool("import mmap\nheld = []\nwhile True: held.append(mmap.mmap(-1, 1 << 24))"), (ERROR, MEMORY)),  # noqa: E501
    "threads": Attack(
        tool("""
        import threading, time
        try:
            for _ in range(500): threading.Thread(target=time.sleep, args=(99,), daemon=True).start()
        except RuntimeError: return 'enough'
        """),
        (OK, ERROR, MEMORY),
    ),
    "stuck threads": Attack(
        tool("import threading\nfor _ in range(5):\n    threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()\nreturn 1"),  # noqa: E501
        (OK, ERROR),
    ),
    "output": Attack(tool("return 'x' * (2**20 + 1)"), (OUTPUT,)),
    "output of wide letters": Attack(tool("return '\\U0001f600' * 2**18 + 'x'"), (OUTPUT,)),
    "output of surrogates": Attack(tool("return '\\ud800' * 2**19"), (OUTPUT,)),
    "error": Attack(tool("raise ValueError('x' * 2**24)"), (OUTPUT,)),
    "printing": Attack(
        tool("""
        import os, sys
        for _ in range(20):
            for out in (sys.stdout, sys.stderr, sys.__stdout__): out.write('x' * 10**5)
            os.write(1, b'y' * 10**5); os.write(2, b'y' * 10**5)
        return 'printed'
        """),
        (OK,),
        "printed",
    ),
}  # fmt: skip

OBJECTS = {
    "a text that never ends": Attack("class A:\n    def __str__(self):\n        while True: pass\ndef f(a=A()): return a", (TIMEOUT,)),  # noqa: E501
    "a text that is none": Attack("class A:\n    def __str__(self): return 5\ndef f(a=A()): return a", (ERROR,)),
    "a text that leaves": Attack("class A:\n    def __str__(self): raise SystemExit\ndef f(a=A()): return a", (ERROR,)),
    "a text that ends it all": Attack(
        "class A:\n    def __str__(self):\n        import os\n        os._exit(0)\ndef f(a=A()): return a", (CRASHED,)
    ),
    "a class that lies": Attack("class A:\n    __class__ = str\n    def __str__(self): return 'own'\ndef f(a=A()): return a", (OK,), "own"),  # noqa: E501
    "a text of its own kind": Attack(
        "class S(str):\n    def __str__(self): return self\n    def encode(self, *a): return b'FORGED'\n"
        "    def isascii(self): return True\n    def __len__(self): return 0\ndef f(S=S): return S('x' * (2**20 + 1))",
        (OUTPUT,),
    ),
    "a dictionary of its own kind": Attack(
        "class D(dict):\n    def items(self):\n        while True: yield 'a', 1\ndef f(D=D): return {'a': D(b=1)}", (TIMEOUT, MEMORY)  # noqa: E501
    ),
    "a list of its own kind": Attack(
        "class L(list):\n    def __iter__(self):\n        while True: yield 1\ndef f(L=L): return [L([1])]", (OK, TIMEOUT, MEMORY)  # noqa: E501
    ),
    "keys that are never equal": Attack(
        "class K:\n    def __hash__(self): return 1\n    def __eq__(self, other):\n        while True: pass\n"
        "def f(K=K): return {K(): 1, K(): 2}",
        (TIMEOUT,),
    ),
    "an error whose text fails": Attack(
        "class E(Exception):\n    def __str__(self): raise E\ndef f(E=E): raise E", (ERROR,), "an error occured when call f: E"  # noqa: E501
    ),
    "an end that never comes": Attack(
        "class A:\n    def __del__(self):\n        while True: pass\ndef f(A=A):\n    A()\n    return 1", (TIMEOUT,)
    ),
    "an end that comes with the process": Attack(
        "class A:\n    def __del__(self):\n        while True: pass\ndef f(A=A):\n    import builtins\n    builtins.kept = A()\n    return 1",  # noqa: E501
        (OK,),
        "1",
    ),
    "a tail at the exit": Attack(
        tool("import atexit\ndef g():\n    while True: pass\natexit.register(g)\nreturn 1"), (OK,), "1"
    ),
    "nulls and controls": Attack(tool("return '\\0\\x1b[2J\\r\\n\\u2028'"), (OK,), "\0\x1b[2J\r\n\u2028"),
    "numbers that JSON does not know": Attack(tool("return [float('nan'), float('-inf')]"), (OK,), "[NaN, -Infinity]"),
    "itself": Attack(tool("a = []\na.append(a)\nreturn a"), (ERROR,)),
}  # fmt: skip

INTERPRETER = {
    "leaves": Attack(tool("import sys\nsys.exit('bye')"), (ERROR,)),
    "leaves at once": Attack(tool("import os\nos._exit(3)"), (CRASHED,)),
    "aborts": Attack(tool("import os\nos.abort()"), (CRASHED, TIMEOUT)),
    "reads at null": Attack(tool("import ctypes\nctypes.string_at(0)"), (CRASHED,)),
    "writes over None": Attack(tool("import ctypes\nctypes.memset(id(None), 255, 16)\nreturn None"), (CRASHED, OK, ERROR)),  # noqa: E501
    "ends the interpreter": Attack(tool("import ctypes\nctypes.pythonapi.Py_FinalizeEx()"), (CRASHED, TIMEOUT, ERROR, OK)),  # noqa: E501
    "patches json": Attack(
        tool("import json, json.encoder\njson.dumps = json.loads = json.JSONEncoder.encode = lambda *a, **k: 'FORGED'\nreturn {}"),  # noqa: E501
        (OK, ERROR),
    ),
    "patches builtins": Attack(
        tool("import builtins\nfor n in ('str', 'len', 'type', 'isinstance', 'print', '__import__'):\n"
             "    setattr(builtins, n, lambda *a, **k: 'FORGED')\nreturn 5"),
        (OK, ERROR, CRASHED),
    ),
    "patches the sandbox's own modules": Attack(
        tool("import sys\nfor name, module in list(sys.modules.items()):\n    if name.startswith('ftrl'):\n"
             "        for key in list(vars(module)):\n            if not key.startswith('__'): setattr(module, key, None)\n"  # noqa: E501
             "return 'mine'"),
        (OK, CRASHED, ERROR),
    ),
    "empties the modules": Attack(tool("import sys\nsys.modules.clear()\nreturn 1"), (OK, ERROR)),
    "traces": Attack(
        tool("import sys, threading\ndef t(*a):\n    raise KeyboardInterrupt\nsys.setprofile(t)\nsys.settrace(t)\nreturn 1"),  # noqa: E501
        (OK, ERROR, CRASHED),
    ),
    "walks frames": Attack(
        tool("import sys\nat = sys._getframe()\nwhile at.f_back: at = at.f_back\nat.f_locals.clear()\nat.f_globals.clear()\nreturn 1"),  # noqa: E501
        (OK, ERROR, CRASHED),
    ),
    "leaves threads behind": Attack(
        tool("import threading, time\ndef g():\n    while True: time.sleep(0.01)\nfor _ in range(3): threading.Thread(target=g).start()\nreturn 1"),  # noqa: E501
        (OK,),
        "1",
    ),
    "switches the collector off": Attack(tool("import gc\ngc.disable()\ngc.callbacks.append(1)\ngc.collect()\nreturn 1"), (OK, ERROR)),  # noqa: E501
    "faults on purpose": Attack(tool("import faulthandler\nfaulthandler._sigsegv()"), (CRASHED, OK)),
    "forks": Attack(tool("import os\nwhile True: os.fork()"), (ERROR,)),
    "forks in C": Attack(tool("import ctypes\nreturn [ctypes.CDLL(None).fork(), ctypes.CDLL(None).vfork()]"), (OK,), "[-1, -1]"),  # noqa: E501
    "hides as another tool": Attack("def f(): return 1\n__name__ = 'x'\n__builtins__ = {}\n", (OK, ERROR)),
}  # fmt: skip

ATTACKS: dict[str, Attack] = {
    f"{kind}: {name}": attack
    for kind, attacks in (
        ("forges", FORGERIES), ("reaches out", REACHING_OUT), ("files", FILES), ("time", TIME), ("bombs", BOMBS),
        ("objects", OBJECTS), ("interpreter", INTERPRETER),
    )
    for name, attack in attacks.items()
}  # fmt: skip
