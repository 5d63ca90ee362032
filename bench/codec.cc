/*
 * How fast the decimal codec is beside its peers: simdjson on demand, cJSON, strtof, std::from_chars; std::to_chars, printf.
 * All in one process and in turn, round after round, so that whatever else the machine does falls on all alike; the
 * figure is the median round. The first row is the yardstick of the ratios: >1 is how many times slower the peer is.
 *
 *   make bench-codec
 *
 * or, with libsimdjson-dev and libcjson-dev (C++ only for the peers):
 *
 *   cc -std=c11 -O3 -I. -c bench/codec_ours.c codec/decimal_*.c
 *   c++ -std=c++17 -O3 -I. -o bench-codec bench/codec.cc codec_ours.o decimal_*.o -lsimdjson -lcjson
 *   ./bench-codec [ROUNDS]
 */
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <cjson/cJSON.h>
#include <simdjson.h>

extern "C" {
#include "bench/codec_ours.h"
}

namespace {

const size_t COUNT = 1 << 18;

struct contestant {
	const char *name;
	std::function<size_t()> run; // returns a number that all contestants should agree on, or 0
	std::vector<double> rounds;
};

double
median(std::vector<double> v)
{
	std::sort(v.begin(), v.end());
	return v[v.size() / 2];
}

void
compete(const char *title, std::vector<contestant> all, int rounds)
{
	for (int round = 0; round < rounds; round++) {
		for (auto &c : all) {
			auto start = std::chrono::steady_clock::now();
			size_t result = c.run();
			std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;

			if (result == 0) {
				std::fprintf(stderr, "%s: wrong result\n", c.name);
				std::exit(1);
			}
			c.rounds.push_back(took.count() / COUNT);
		}
	}
	std::printf("\n%s\n", title);
	for (auto &c : all)
		std::printf("  %-34s %8.2f ns/number %8.2fx\n", c.name, median(c.rounds), median(c.rounds) / median(all[0].rounds));
}

// The numbers of one type, their text, and room for what is read and written.
template <typename number> struct sheet {
	std::vector<number> values, read;
	std::string text; // [1,2,3]
	simdjson::padded_string padded;
	std::vector<char> written;

	explicit sheet(const std::function<number()> &draw) : values(COUNT), read(COUNT), written(COUNT * 41)
	{
		std::generate(values.begin(), values.end(), draw);
		text = "[";
		for (number v : values) {
			char one[64];

			text.append(one, std::to_chars(one, one + sizeof(one), v).ptr);
			text += ',';
		}
		text.back() = ']';
		padded = simdjson::padded_string(text);
	}

	// The bits read are the bits written, whoever read them.
	size_t check()
	{
		size_t same = std::memcmp(values.data(), read.data(), COUNT * sizeof(number)) == 0;

		return same;
	}
};

template <typename number>
size_t
read_simdjson(sheet<number> &s, simdjson::ondemand::parser &parser)
{
	simdjson::ondemand::document doc = parser.iterate(s.padded);
	size_t n = 0;

	for (auto v : doc.get_array())
		s.read[n++] = static_cast<number>(v.get_double().value());
	return n;
}

template <typename number>
size_t
read_cjson(sheet<number> &s)
{
	cJSON *root = cJSON_ParseWithLength(s.text.data(), s.text.size());
	size_t n = 0;

	for (cJSON *item = root->child; item != nullptr; item = item->next)
		s.read[n++] = static_cast<number>(item->valuedouble);
	cJSON_Delete(root);
	return n;
}

template <typename number, typename read_one>
size_t
read_each(sheet<number> &s, read_one one)
{
	const char *p = s.text.data() + 1, *end = s.text.data() + s.text.size();
	size_t n = 0;

	for (; p < end; p++)
		p = one(p, end, s.read[n++]);
	return n;
}

template <typename number, typename write_one>
size_t
write_each(sheet<number> &s, write_one one)
{
	char *p = s.written.data();

	for (number v : s.values) {
		p = one(p, v);
		*p++ = ',';
	}
	return static_cast<size_t>(p - s.written.data());
}

template <typename number, typename read_list, typename write_list>
void
bench(const char *title, sheet<number> s, read_list ours, read_list called, write_list write, int digits, int rounds)
{
	simdjson::ondemand::parser parser;
	char line[200];
	const char *begin = s.text.data() + 1, *limit = s.text.data() + s.text.size();
	auto from_chars = [](const char *p, const char *end, number &v) { return std::from_chars(p, end, v).ptr; };
	auto strto = [](const char *p, const char *, number &v) {
		char *end;

		if constexpr (sizeof(v) == 4)
			v = std::strtof(p, &end);
		else
			v = std::strtod(p, &end);
		return const_cast<const char *>(end);
	};
	auto to_chars = [](char *p, number v) { return std::to_chars(p, p + 40, v).ptr; };
	auto print = [digits](char *p, number v) { return p + std::sprintf(p, "%.*g", digits, static_cast<double>(v)); };

	// simdjson, cJSON round through double, so they need not agree to the bit.
	if (ours(begin, limit, s.read.data()) != COUNT || !s.check()) {
		std::fprintf(stderr, "what was read is not what was written\n");
		std::exit(1);
	}
	std::snprintf(line, sizeof(line), "read %s, %.1f characters", title, static_cast<double>(s.text.size()) / COUNT - 1);
	compete(line,
	    {
	        { "decimal, in line", [&] { return ours(begin, limit, s.read.data()); }, {} },
	        { "decimal, called", [&] { return called(begin, limit, s.read.data()); }, {} },
	        { "simdjson on demand", [&] { return read_simdjson(s, parser); }, {} },
	        { "std::from_chars", [&] { return read_each(s, from_chars); }, {} },
	        { sizeof(number) == 4 ? "strtof" : "strtod", [&] { return read_each(s, strto); }, {} },
	        { "cJSON", [&] { return read_cjson(s); }, {} },
	    },
	    rounds);
	std::snprintf(line, sizeof(line), "write %s", title);
	compete(line,
	    {
	        { "decimal", [&] { return write(s.values.data(), COUNT, s.written.data()); }, {} },
	        { "std::to_chars", [&] { return write_each(s, to_chars); }, {} },
	        { digits == 9 ? "printf %.9g" : "printf %.17g", [&] { return write_each(s, print); }, {} },
	    },
	    rounds);
}

} // namespace

int
main(int argc, char **argv)
{
	const int rounds = argc > 1 ? std::atoi(argv[1]) : 31;
	std::mt19937_64 random(20240229);
	std::normal_distribution<double> normal;
	std::uniform_int_distribution<int> pixel(0, 255);
	std::function<float()> normal_f32 = [&] { return static_cast<float>(normal(random)); };
	std::function<double()> normal_f64 = [&] { return normal(random); };
	std::function<float()> pixel_f32 = [&] { return static_cast<float>(pixel(random)); };
	std::function<float()> any_f32 = [&] {
		return static_cast<float>(normal(random)) * std::exp2(static_cast<float>(pixel(random) % 200 - 100));
	};

	bench("float, normal", sheet<float>(normal_f32), ours_read_f32, ours_read_f32_called, ours_write_f32, 9, rounds);
	bench("float, 0 to 255", sheet<float>(pixel_f32), ours_read_f32, ours_read_f32_called, ours_write_f32, 9, rounds);
	bench("float, any magnitude", sheet<float>(any_f32), ours_read_f32, ours_read_f32_called, ours_write_f32, 9, rounds);
	bench("double, normal", sheet<double>(normal_f64), ours_read_f64, ours_read_f64_called, ours_write_f64, 17, rounds);
	return 0;
}
