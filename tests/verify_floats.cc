/* SPDX-License-Identifier: MIT */
/*
 * Writes and reads every finite float32 with the codec: by both of its readers, and in lists. The same bits must come
 * back, and the text must be the shortest, and of the shortest the closest, as std::to_chars writes it. That is
 * libstdc++'s Ryu (U. Adams, "Ryu: fast float-to-string conversion", 2018), which has no code in common with what is
 * tested here and is the only reason for C++.
 *
 * Usage: tests/verify_floats [STEP]: every STEPth float; all of them take a few minutes.
 */
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

extern "C" {
#include "codec/decimal.h"
#include "tests/verify_floats_codec.h"
}

namespace {

const uint32_t FIELDS = 255; // of finite numbers' exponents
const uint32_t FRACTIONS = 1 << 23;
const uint64_t SHOWN_MAX = 20;

// digits·10^exponent, digits without zeros at the end.
struct decimal {
	uint64_t digits;
	int exponent;

	bool operator==(const decimal &other) const { return digits == other.digits && exponent == other.exponent; }
};

// A text without a sign.
decimal
parse(const char *p, const char *end)
{
	decimal d = { 0, 0 };
	bool behind = false;

	for (; p < end && *p != 'e'; p++) {
		if (*p == '.') {
			behind = true;
			continue;
		}
		d.digits = d.digits * 10 + static_cast<uint64_t>(*p - '0');
		d.exponent -= behind;
	}
	if (p < end)
		d.exponent += std::atoi(p + 1);
	for (; d.digits != 0 && d.digits % 10 == 0; d.exponent++)
		d.digits /= 10;
	return d;
}

std::atomic<uint64_t> wrong, done, tried;
std::mutex output;

void
complain(const char *what, uint32_t bits, const char *text)
{
	if (wrong++ >= SHOWN_MAX)
		return;
	std::lock_guard<std::mutex> lock(output);
	std::printf("%s: 0x%08x is written %s\n", what, bits, text);
}

size_t
write(uint32_t bits, char *text)
{
	float value;
	size_t len;

	std::memcpy(&value, &bits, sizeof(value));
	len = decimal_write_f32(value, text);
	text[len] = ',';
	text[len + 1] = '\0';
	return len;
}

decimal
shortest(uint32_t bits)
{
	char text[64];
	float value;

	std::memcpy(&value, &bits, sizeof(value));
	char *end = std::to_chars(text, text + sizeof(text) - 1, value, std::chars_format::scientific).ptr;
	*end = '\0';
	return parse(text, end);
}

// A number and its negative, whose text is the same with a sign before it.
void
verify(uint32_t bits)
{
	char text[DECIMAL_F32_BYTES + 2], negative[DECIMAL_F32_BYTES + 3];
	size_t len = write(bits, text), negative_len = write(bits | 0x80000000, negative);

	if (!verify_read_f32(text, len, bits))
		complain("not read back", bits, text);
	if (!verify_read_f32(negative, negative_len, bits | 0x80000000))
		complain("not read back", bits | 0x80000000, negative);
	if (negative_len != len + 1 || negative[0] != '-' || std::memcmp(negative + 1, text, len) != 0)
		complain("not the positive's text", bits | 0x80000000, negative);
	if (!(parse(text, text + len) == shortest(bits)))
		complain("not the shortest or not the closest", bits, text);
}

// Takes one exponent field after another until none is left.
void
work(std::atomic<uint32_t> &next, uint32_t step)
{
	for (uint32_t field; (field = next++) < FIELDS;) {
		uint64_t pairs = 0;

		uint32_t list[VERIFY_LIST] = { 0 };

		for (uint32_t fraction = field % step; fraction < FRACTIONS; fraction += step, pairs++) {
			verify(field << 23 | fraction);
			// Every float is in some list; the last list may not be full.
			bool last = pairs % VERIFY_LIST == VERIFY_LIST - 1 || fraction + step >= FRACTIONS;
			list[pairs % VERIFY_LIST] = (pairs & 1) << 31 | field << 23 | fraction;
			if (last && !verify_list_f32(list))
				complain("not the same in a list", list[0], "otherwise");
		}
		tried += 2 * pairs;
		std::lock_guard<std::mutex> lock(output);
		if (++done % 16 == 0)
			std::printf("%3u of %u exponents\n", static_cast<unsigned>(done), FIELDS), std::fflush(stdout);
	}
}

} // namespace

int
main(int argc, char **argv)
{
	const uint32_t step = argc > 1 && std::atoi(argv[1]) > 0 ? static_cast<uint32_t>(std::atoi(argv[1])) : 1;
	const unsigned count = std::thread::hardware_concurrency() > 0 ? std::thread::hardware_concurrency() : 1;
	const auto start = std::chrono::steady_clock::now();
	std::atomic<uint32_t> next(0);
	std::vector<std::thread> threads;

	std::printf("writing and reading every float32 in %u threads: some 350 s of a processor's time\n", count);
	std::fflush(stdout);
	for (unsigned i = 0; i < count; i++)
		threads.emplace_back(work, std::ref(next), step);
	for (auto &t : threads)
		t.join();
	std::printf("%llu floats, %llu wrong, %.0f s\n", static_cast<unsigned long long>(tried),
	    static_cast<unsigned long long>(wrong),
	    std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
	return wrong == 0 ? 0 : 1;
}
