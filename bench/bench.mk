# SPDX-License-Identifier: MIT
# The benchmarks' targets; the Makefile includes this file. docs/PERFORMANCE.md says what each measures.

### Benchmarks

bench-codec: $(B)/bench/codec ## the codec's speed beside simdjson, cJSON and the libraries of C and C++
	@$<

bench-kernels: $(B)/bench/kernels ## the kernels' speed beside PyTorch, oneDNN and a plain copy (ROUNDS=)
	@ROUNDS='$(ROUNDS)' bench/kernels.py $<

bench-threads: $(B)/bench/threads ## a large tensor computed by one thread, and with the help of idle ones (ROUNDS=)
	@$< $(ROUNDS)

bench-http bench-train bench-online bench-fair bench-log bench-oip: all | $(B)/packages-bench-http

bench-http: $(B)/bench/echo ## requests per second beside the peers (ROUNDS=, SECONDS=, CONNECTIONS=)
	@$(bench) CONNECTIONS='$(CONNECTIONS)' bench/http $(B)

bench-train: $(B)/bench/commits ## durable training beside the peer and raw SQLite (ROUNDS=, SECONDS=, LAYERS=)
	@$(bench) LAYERS='$(LAYERS)' bench/train $(B)

bench-online: ## single observations beside batches, and totals of many sources (ROUNDS=, SECONDS=, SOURCES=)
	@$(bench) SOURCES='$(SOURCES)' bench/online $(B)

bench-fair: ## how long small requests wait while others send 4 MB tensors (ROUNDS=, SECONDS=, SENDERS=)
	@$(bench) SENDERS='$(SENDERS)' bench/fair $(B)

bench-log: ## what the log costs the smallest requests (ROUNDS=, SECONDS=)
	@$(bench) bench/log $(B)

bench-oip: ## the Open Inference Protocol's call beside the layers' own (ROUNDS=, SECONDS=, CONNECTIONS=)
	@$(bench) CONNECTIONS='$(CONNECTIONS)' bench/oip $(B)

bench-python: all | $(B)/packages-bench-python
bench-python: ## the Python client beside http.client, tasks beside threads (ROUNDS=, CALLS=)
	@/usr/bin/python3 clients/python/hatch_build.py
	@$(bench) CALLS='$(CALLS)' bench/python $(B)

bench-pages: all | $(B)/packages-test-pages ## how soon a browser shows the pages (ROUNDS=)
	@$(bench) bench/pages $(B)

bench-backup bench-versions: all | $(B)/packages-bench-backup

bench-backup: ## what a backup costs training (ROUNDS=, SECONDS=, STORE_MB=)
	@$(bench) STORE_MB='$(STORE_MB)' bench/backup $(B)

bench-versions: ## versions: what they cost training, inference by them, whole models (ROUNDS=, SECONDS=, LAYERS=)
	@$(bench) LAYERS='$(LAYERS)' bench/versions $(B)

bench-builds: all | $(B)/packages-bench-http ## inference by this build and by another (BEFORE=, ROUNDS=, SECONDS=)
	@$(bench) bench/builds '$(BEFORE)' $(B)

bench = PYTHONDONTWRITEBYTECODE=1 ROUNDS='$(ROUNDS)' SECONDS='$(SECONDS)'

# The codec as it is released. (-march=native would not help its peers: simdjson chooses its code at run time.)
$(B)/bench/codec: bench/codec.cc $(B)/bench/codec_ours.o $(codec_archives) | $(B)/packages-bench-codec
	$(CXX) -std=c++17 -O3 -Wall -Wextra -I. $(CXXFLAGS) $(all_ldflags) -o $@ $^ -lsimdjson $(libs_codec)

$(B)/bench/kernels: $(B)/bench/kernels.o $(B)/bench/kernels_dnnl.o $(call archive,layer) $(norm_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_norm) -ldnnl
$(B)/bench/kernels_dnnl.o: | $(B)/packages-bench-kernels

$(B)/bench/threads: $(B)/bench/threads.o $(link_archives)
	$(CC) $(all_ldflags) -o $@ $^ $(libs_all)

$(B)/bench/echo: $(B)/bench/echo.o
	$(CC) $(all_ldflags) -o $@ $< -lmicrohttpd

$(B)/bench/commits: $(B)/bench/commits.o
	$(CC) $(all_ldflags) -o $@ $< -lsqlite3
