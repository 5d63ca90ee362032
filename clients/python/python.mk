# SPDX-License-Identifier: MIT
# The targets of the Python client; the Makefile includes this file.

python_files := $(shell find clients/python -name .mypy_cache -prune -o -name __pycache__ -prune -o -name _sync -prune \
    -o -name dist -prune -o -type f -print)
wheel := $(B)/python/normd-$(VERSION)-py3-none-any.whl

### The Python client

wheel: $(wheel) ## build the Python package: a wheel and its source archive (build/python)

python: all $(B)/python/installed | $(B)/packages-test ## the tests of the Python client alone
	@tests/run --build $(B) python

reference: ## write docs/PYTHON_API.md again, from the docstrings of the Python package
	@mkdir -p $(B)/python
	@PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 clients/python/make_reference.py >$(B)/python/PYTHON_API.md
	@cp $(B)/python/PYTHON_API.md docs/PYTHON_API.md

# The archive of the sources first, and the wheel of the archive. Both bear a fixed time, or that of SOURCE_DATE_EPOCH.
# The check of what the build needs is left out: Debian's hatchling lacks a module that it needs for other builds alone.
$(wheel): $(python_files) LICENSE | $(B)/packages-wheel
	@echo "  WHEEL $@"
	@mkdir -p $(@D)
	@PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m build --no-isolation --skip-dependency-check --outdir $(@D) \
	    clients/python >$(@D)/log 2>&1 || { cat $(@D)/log; exit 1; }
	@[ -e $@ ] || { echo "clients/python/src/normd/_version.py does not say $(VERSION)" >&2; exit 1; }
	@chmod 644 $@ $(@D)/normd-$(VERSION).tar.gz

# The wheel as a user installs it, in an environment that sees the system's packages. Nothing is downloaded.
$(B)/python/installed: $(wheel) | $(B)/packages-test
	@/usr/bin/python3 -m venv --clear --without-pip --system-site-packages $(@D)/venv
	@$(@D)/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps $<
	@touch $@
