# Everything a person needs to type. Only Python 3.11 (or 3.12, 3.13) and make must be there before.
PYTHON ?= python3
UV := $(or $(shell command -v uv),$(CURDIR)/.tools/bin/uv)
RUN := $(CURDIR)/.venv/bin
export UV_PYTHON ?= $(PYTHON)
export UV_PYTHON_DOWNLOADS ?= never

.PHONY: demo test check format bench tensorrt-check export-check gpu-check golden docs images images-gpu conformance proof screenshot clean

demo: .venv/run-ready            ## analyze the sample video with every domain
	@$(RUN)/reelwarden models pull
	@$(RUN)/reelwarden analyze tests/media/demo.mp4 --out out/demo --review

test: .venv/dev-ready            ## run all tests, on real weights; those that a licence keeps from being defaults, too
	@$(RUN)/reelwarden models pull
	@REELWARDEN_LICENCES=any $(RUN)/reelwarden models pull nudenet_320n scrfd_500m arcface_mobilefacenet
	@$(RUN)/pytest

check: .venv/dev-ready           ## lint, format, types, generated files
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(UV) lock --check --quiet

format: .venv/dev-ready          ## rewrite the code in the project's format
	@$(RUN)/ruff check --fix .
	@$(RUN)/ruff format .

bench: .venv/dev-ready           ## measure speed against the named peers; writes benchmarks/results/
	@$(UV) sync --quiet --frozen --group bench
	@$(RUN)/python -m benchmarks

images: .venv/run-ready          ## build every image for CPUs; BASE_IMAGE=NAME for another base than debian:bookworm-slim
	@$(RUN)/python -m images.build

images-gpu: .venv/run-ready      ## build every image for NVIDIA GPUs; downloads about 2.5 GB
	@$(RUN)/python -m images.build --flavor gpu

conformance: .venv/dev-ready     ## run the container contract against every built image and write docs/conformance.md
	@$(RUN)/pytest -m docker tests/integration --junitxml=out/conformance.xml; \
	status=$$?; $(RUN)/python -m tools.conformance_page out/conformance.xml; exit $$status

proof:                           ## the README on a bare machine: a fresh container; needs docker
	@tests/integration/clean_machine.sh

tensorrt-check: .venv/dev-ready   ## build every default model with TensorRT-RTX, without a GPU; writes benchmarks/results/
	@$(UV) sync --quiet --frozen --inexact --group tensorrt
	@$(RUN)/python -m benchmarks.tensorrt_check

export-check: $(UV)               ## checkpoints against their libraries; some GB into .venv-export; writes benchmarks/results/
	@UV_PROJECT_ENVIRONMENT=.venv-export $(UV) sync --quiet --frozen --group ultralytics
	@.venv-export/bin/pytest tests/unit/test_export.py tests/unit/test_export_entry.py tests/unit/test_export_checkpoints.py
	@.venv-export/bin/python -m benchmarks.export_check

gpu-check: .venv-gpu/ready        ## on a machine with an NVIDIA GPU: measure all of its path; 2.1 GB into .venv-gpu; writes benchmarks/results/
	@.venv-gpu/bin/python -m benchmarks.gpu_check

golden: .venv/dev-ready          ## write the golden results anew; look at the diff before you commit it
	@$(RUN)/python -m tests.golden.generate

docs: .venv/dev-ready            ## write the generated pages anew
	@$(RUN)/python -m tools.settings_page
	@$(RUN)/python -m tools.benchmarks_page
	@$(RUN)/python -m tools.tensorrt_page
	@$(RUN)/python -m tools.export_page
	@$(RUN)/python -m tools.decoders_page
	@$(RUN)/python -m tools.policy_page
	@$(RUN)/python -m tools.formats_page
	@$(RUN)/python -m tools.images_page
	@$(RUN)/python -m tools.readme_figures

screenshot: demo                 ## take the picture of the review page for the docs; needs /usr/bin/chromium
	@$(RUN)/python -m tools.review_screenshot

clean:                           ## remove the environment and everything made
	rm -rf .venv .venv-export .venv-gpu .tools out

.venv/run-ready: uv.lock pyproject.toml | $(UV)
	@$(UV) sync --quiet --frozen --no-dev --inexact
	@touch $@

.venv/dev-ready: uv.lock pyproject.toml | $(UV)
	@$(UV) sync --quiet --frozen
	@touch $@ .venv/run-ready

# ONNX Runtime for CPUs stays out: it and the one for GPUs write the same folder. TensorRT that was put here stays.
.venv-gpu/ready: uv.lock pyproject.toml | $(UV)
	@UV_PROJECT_ENVIRONMENT=.venv-gpu $(UV) sync --quiet --frozen --inexact --group all-gpu --no-install-package onnxruntime
	@touch $@

$(CURDIR)/.tools/bin/uv:
	@$(PYTHON) tools/get_uv.py $(CURDIR)/.tools
