"""Ray job: a training run.

ray job submit --working-dir . -- python jobs/train.py --config jobs/configs/cpu.yaml
"""

import sys

from ftrl.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
