"""Run by test_isolation.py on kernels that refuse things: report the layers, make an honest and some hostile calls."""

from __future__ import annotations

import json

from ftrl.sandbox import Call, Limits, Sandbox, isolation_report

CALLS = {
    "honest": "def honest():\n    import datetime\n    return {'year': datetime.date(2020, 1, 2).year}",
    "endless": "def endless():\n    while True: pass",
    "greedy": "def greedy():\n    return len([bytearray(2**20) for _ in range(10**5)])",
    "environment": "def environment():\n    import os\n    return dict(os.environ)",
    "writer": "def writer():\n    open('file', 'w').write('x')\n    return 'written'",
    "reader": "def reader():\n    return open('/etc/passwd').read()",
    "starter": "def starter():\n    import os\n    return 'started' if os.fork() else os._exit(0)",
    "killer": "def killer():\n    import os\n    os.kill(os.getppid(), 9)\n    return 'killed'",
    "threads": (
        "def threads():\n    import threading\n    t = threading.Thread(target=print)\n    t.start()\n"
        "    t.join()\n    return 'joined'"
    ),
}

if __name__ == "__main__":
    report = isolation_report()
    layers = {layer.name: layer.active for layer in report}
    assert len(layers) == len(report), "a layer is named twice"
    reasons = {layer.name: layer.why_not for layer in report if not layer.active}
    with Sandbox(workers=1, limits=Limits(seconds=2, memory_bytes=128 * 2**20)) as sandbox:
        results = {
            name: [result.status.value, result.output]
            for name, source in CALLS.items()
            for result in sandbox.run([Call(name, "{}", source)])
        }
        again = sandbox.run([Call("honest", "{}", CALLS["honest"])])[0].output
    print(json.dumps({"layers": layers, "reasons": reasons, "results": results, "again": again}))
