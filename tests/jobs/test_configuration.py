"""What a job's file may hold, and how a job says that it holds something else."""

from __future__ import annotations

import errno
import importlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError, NoCredentialsError
from ray.exceptions import RuntimeEnvSetupError
from s3fs.errors import translate_boto_error

from ftrl.errors import FtrlError, InputError

ROOT = Path(__file__).resolve().parents[2]
JOBS = {
    "synthesize": "SynthesisConfig",
    "rollout": "CollectConfig",
    "train": "TrainConfig",
    "evaluate": "AnySuite",
    "pipeline": "PipelineConfig",
}
IN_A_JOB = {"RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps({"runtime_env": {"working_dir": "gcs://_ray_pkg_1.zip"}})}


def kind_of(job: str) -> Any:
    return getattr(importlib.import_module(job), JOBS[job])


def read(file: Path, job: str, environment: dict[str, str] | None = None) -> Any:
    return importlib.import_module("job").read(str(file), kind_of(job), environment or {})


def written(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("job", JOBS)
def test_the_example_of_each_job_is_one_that_the_job_takes_on_a_cluster_too(job: str) -> None:
    read(ROOT / "jobs" / "configs" / f"{job}.yaml", job, IN_A_JOB)


def test_the_example_for_a_cpu_is_a_training_run() -> None:
    assert read(ROOT / "jobs" / "configs" / "cpu.yaml", "train").hardware.device == "cpu"


@pytest.mark.parametrize("job", JOBS)
def test_a_field_that_does_not_exist_is_named_with_its_line(job: str, tmp_path: Path) -> None:
    file = written(tmp_path, "# what is made\nout: /runs/x\nsamplse: 3\nmodel: m\ntasks: t\n")
    with pytest.raises(InputError) as refused:
        read(file, job)
    assert (refused.value.field, refused.value.line) == ("samplse", 3)
    assert refused.value.file == str(file)


def test_a_wrong_value_deep_in_a_part_is_named_with_its_path_and_its_line(tmp_path: Path) -> None:
    text = "out: /runs/x\nmodel: m\ntrain:\n  tasks: t\n  optim:\n    max_steps: 3\n    batch_size: 0\n"
    with pytest.raises(InputError, match="greater than or equal to 1") as refused:
        read(written(tmp_path, text), "pipeline")
    assert (refused.value.field, refused.value.line) == ("train.optim.batch_size", 7)


def test_what_is_no_yaml_no_mapping_or_no_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not YAML") as refused:
        read(written(tmp_path, "out: x\n  count: [1\n"), "synthesize")
    assert refused.value.line == 2
    with pytest.raises(InputError, match="mapping"):
        read(written(tmp_path, "- out\n"), "synthesize")
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "absent.yaml", "synthesize")


def test_output_that_would_lie_in_rays_copy_of_the_working_folder_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "count: 3\nout: stores/train\n")
    assert read(file, "synthesize").out == "stores/train", "at home, a relative path is as good as any"
    with pytest.raises(InputError, match="the copy of the working folder") as refused:
        read(file, "synthesize", IN_A_JOB)
    assert (refused.value.field, refused.value.line) == ("out", 2)
    nested = written(tmp_path, "out: s3://b/x\nmodel: m\ntrain:\n  tasks: t\n  out: runs/x\n")
    with pytest.raises(InputError) as refused:
        read(nested, "pipeline", IN_A_JOB)
    assert (refused.value.field, refused.value.line) == ("train.out", 5)


def test_a_pipeline_hands_on_what_one_stage_makes_for_the_next(tmp_path: Path) -> None:
    text = "out: /runs/x\nmodel: /m\n" + "".join(
        f"{name}: {{}}\n" for name in ("synthesize", "held_out", "rollout", "train", "evaluate")
    )
    pipeline = read(written(tmp_path, text), "pipeline")
    assert pipeline.rollout.tasks == pipeline.train.tasks == pipeline.synthesize.out == "/runs/x/tasks"
    assert pipeline.rollout.model == pipeline.train.model == "/m"
    assert pipeline.evaluate.tasks == pipeline.held_out.out == "/runs/x/held-out"
    assert (pipeline.synthesize.split, pipeline.held_out.split) == ("train", "test")
    assert pipeline.evaluate.model == "/runs/x/train/iteration-3/policy", "that of the last of three iterations"
    outs = [part.out for _, part in pipeline if hasattr(part, "out")]
    assert len(outs) == len(set(outs)) == 5, "no stage writes where another does"


def test_what_a_pipelines_part_says_itself_counts(tmp_path: Path) -> None:
    text = (
        "out: s3://b/x\nmodel: /m\ntrain: {tasks: t, out: /disk/run, iterations: 1}\nevaluate: {tasks: e, trials: 2}\n"
    )
    pipeline = read(written(tmp_path, text), "pipeline")
    assert (pipeline.train.tasks, pipeline.train.out) == ("t", "/disk/run")
    assert pipeline.evaluate.model == "/disk/run/iteration-1/policy"
    assert pipeline.evaluate.out == "s3://b/x/evaluation"
    base = read(written(tmp_path, "out: /x\nmodel: /m\nevaluate: {tasks: e}\n"), "pipeline")
    assert base.evaluate.model == "/m", "where nothing is trained, it is the model itself that is measured"


def test_a_pipeline_evaluates_what_the_job_evaluates_and_held_out_tasks_are_for_our_own_suite(tmp_path: Path) -> None:
    text = "out: /x\nmodel: /m\nheld_out: {count: 5}\nevaluate: "
    ours = read(written(tmp_path, text + "{trials: 2}\n"), "pipeline").evaluate
    assert type(ours) is kind_of("evaluate")
    assert (ours.suite, ours.tasks) == ("ftrl-test", "/x/held-out")
    toolhop = read(written(tmp_path, text + "{suite: toolhop}\n"), "pipeline").evaluate
    assert (toolhop.suite, toolhop.tasks) == ("toolhop", None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("out: /x\nmodel: m\n", "no stage is asked for"),
        ("out: s3://b/x\nmodel: m\ntrain: {tasks: t}\n", "give train.out"),
        ("out: /x\nmodel: m\nrollout: {}\n", "rollout.tasks"),
        ("out: /x\nmodel: m\ntrain: 3\nevaluate: {tasks: e}\n", "field 'train'"),
    ],
)
def test_a_pipeline_that_cannot_be_is_refused(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        read(written(tmp_path, text), "pipeline")


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (FtrlError("the engine died; go on"), 1, "ftrl: the engine died; go on\n"),
        (
            InputError("must not be empty", file="a.yaml", field="out"),
            2,
            "ftrl: a.yaml: field 'out': must not be empty\n",
        ),
        (NoCredentialsError(), 1, "AWS_PROFILE"),
        (translate_boto_error(ClientError({"Error": {"Code": "InternalError"}}, "PutObject")), 1, "S3 refused"),
        (translate_boto_error(ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")), 1, "S3 refused"),
        (OSError(errno.ENOSPC, "no space left"), 1, "the disk is full"),
        (
            RuntimeEnvSetupError("Traceback\n  File\nOSError: [Errno 28] No space left on device\n\n"),
            1,
            "ftrl: Ray could not lay out this job's files on a node: OSError: [Errno 28] No space left on device; mend",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(int(signal.SIGTERM)), 1, "submit the same job again"),
    ],
)
def test_how_a_job_ended_is_one_sentence_and_an_exit_code(
    error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        raise error

    assert importlib.import_module("job").ended(work) == code
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyError("x"), OSError(errno.EACCES, "denied"), SystemExit(3)])
def test_a_defect_of_ours_keeps_its_traceback(error: BaseException) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)):
        importlib.import_module("job").ended(work)


def test_a_scheduler_that_tries_again_goes_on_with_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    for room, function, job in (
        ("ftrl.synthesis", "synthesize", "synthesize"),
        ("ftrl.rollouts", "collect", "rollout"),
    ):
        monkeypatch.setattr(f"{room}.{function}", lambda config, *_: taken.append(config))
        values = {"out": "/x", "tasks": "t", "model": "m"}
        kind = kind_of(job)
        config = kind(**{name: value for name, value in values.items() if name in kind.model_fields})
        getattr(importlib.import_module(job), job)(config)
    assert [config.resume for config in taken] == [True, True]


def test_no_job_does_anything_when_it_is_only_imported() -> None:
    for job in JOBS:
        importlib.import_module(job)
        assert Path(str(sys.modules[job].__file__)).parent == ROOT / "jobs"


def test_the_examples_say_that_paths_have_to_be_changed() -> None:
    for file in (ROOT / "jobs" / "configs").glob("*.yaml"):
        assert yaml.safe_load(file.read_text()), file
        assert file.read_text().startswith("#"), f"{file} says first what it is for"
