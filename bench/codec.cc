/* SPDX-License-Identifier: MIT */
/*
 * The speed of the codec's numbers beside that of other libraries. All contestants run in one process, in turn, round
 * after round, so that other work of the machine slows all of them alike. A figure is the processor time of the median
 * round. Ratios are to the first row of a table: 2 is twice its time.
 *
 * The first row is the number codec in the scanner's loop. The row below it reads a whole body or writes a whole
 * answer, memory for the tensor included. Texts are the shortest of each number. The first rows, from_chars and strtof
 * read floats correctly rounded; simdjson and cJSON read doubles, which are converted to float here. cJSON writes only
 * doubles.
 *
 * Usage: bench/codec [ROUNDS]. It is C++ because its peers are.
 */
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include <malloc.h>
#include <time.h>

#include <cjson/cJSON.h>
#include <simdjson.h>

extern "C" {
#include "bench/codec_ours.h"
}

namespace {

const size_t COUNT = 1 << 16;
const size_t TEXT_MAX = 41; // of a number and its comma, ours uses 40 as scratch

struct contestant {
	const char *name;
	std::function<size_t()> run; // returns what is not 0 when it has done its work
	std::vector<double> rounds;
};

double
median(std::vector<double> v)
{
	std::sort(v.begin(), v.end());
	return v[v.size() / 2];
}

double
now_ns()
{
	timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

[[noreturn]] void
fail(const char *who, const char *why)
{
	std::fprintf(stderr, "%s: %s\n", who, why);
	std::exit(1);
}

void
compete(const std::string &title, std::vector<contestant> all, int rounds)
{
	for (int round = 0; round < rounds; round++) {
		for (auto &c : all) {
			double start = now_ns();

			if (c.run() == 0)
				fail(c.name, "failed");
			c.rounds.push_back((now_ns() - start) / COUNT);
		}
	}
	std::printf("\n%-36s ns a number  ratio\n", title.c_str());
	for (auto &c : all)
		std::printf("  %-34s %9.2f %7.2fx\n", c.name, median(c.rounds),
		    median(c.rounds) / median(all[0].rounds));
	std::fflush(stdout);
}

// The codec's functions by type.
template <typename number> struct ours;

template <> struct ours<float> {
	static constexpr auto read = ours_read_f32;
	static constexpr auto scan = ours_scan_f32;
	static constexpr auto write = ours_write_f32;
	static constexpr auto answer = ours_answer_f32;
};

template <> struct ours<double> {
	static constexpr auto read = ours_read_f64;
	static constexpr auto scan = ours_scan_f64;
	static constexpr auto write = ours_write_f64;
	static constexpr auto answer = ours_answer_f64;
};

// The numbers of one type, their text, and room for what is read and written.
template <typename number> struct sheet {
	std::vector<number> values, read;
	std::string list;     // 1,2,3]
	std::string document; // {"data":[1,2,3]}
	simdjson::padded_string padded;
	std::vector<char> written;

	explicit sheet(const std::function<number()> &draw) : values(COUNT), read(COUNT), written(COUNT * TEXT_MAX)
	{
		std::generate(values.begin(), values.end(), draw);
		for (number v : values) {
			char one[64];

			list.append(one, std::to_chars(one, one + sizeof(one), v).ptr);
			list += ',';
		}
		list.back() = ']';
		document = "{\"data\":[" + list + "}";
		padded = simdjson::padded_string(document);
	}

	const char *begin() const { return list.data(); }
	const char *end() const { return list.data() + list.size(); }
	double characters() const { return static_cast<double>(list.size()) / COUNT - 1; }

	void check(const char *who) const
	{
		if (std::memcmp(values.data(), read.data(), COUNT * sizeof(number)) != 0)
			fail(who, "what was read is not what was written");
	}
};

template <typename number>
size_t
read_simdjson(sheet<number> &s, simdjson::ondemand::parser &parser)
{
	simdjson::ondemand::document doc = parser.iterate(s.padded);
	size_t n = 0;

	for (auto v : doc["data"].get_array())
		s.read[n++] = static_cast<number>(v.get_double().value());
	return n;
}

// Lets a large malloc merge the pieces of a freed tree now, so that the next contestant does not pay for it.
void
tidy_heap()
{
	std::vector<char> large(1 << 20);

	*static_cast<volatile char *>(large.data()) = 0; // or the compiler leaves it out
}

template <typename number>
size_t
read_cjson(sheet<number> &s)
{
	cJSON *root = cJSON_ParseWithLength(s.document.data(), s.document.size());
	size_t n = 0;

	for (cJSON *item = root->child->child; item != nullptr; item = item->next)
		s.read[n++] = static_cast<number>(item->valuedouble);
	cJSON_Delete(root);
	tidy_heap();
	return n;
}

template <typename number, typename read_one>
size_t
read_each(sheet<number> &s, read_one one)
{
	size_t n = 0;

	for (const char *p = s.begin(); p < s.end(); p++)
		p = one(p, s.end(), s.read[n++]);
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

template <typename number>
size_t
write_cjson(sheet<number> &s, cJSON *list)
{
	return cJSON_PrintPreallocated(list, s.written.data(), static_cast<int>(s.written.size()), 0);
}

template <typename number>
void
bench_read(const std::string &title, sheet<number> &s, int rounds)
{
	constexpr bool narrow = std::is_same_v<number, float>;
	simdjson::ondemand::parser parser;
	char characters[40];
	auto from_chars = [](const char *p, const char *end, number &v) { return std::from_chars(p, end, v).ptr; };
	auto strto = [](const char *p, const char *, number &v) {
		char *end;

		if constexpr (narrow)
			v = std::strtof(p, &end);
		else
			v = std::strtod(p, &end);
		return const_cast<const char *>(end);
	};

	if (ours<number>::read(s.begin(), s.end(), s.read.data()) != COUNT)
		fail("normd", "did not read all");
	s.check("normd");
	if (ours<number>::scan(s.document.data(), s.document.size()) != COUNT)
		fail("normd, the whole body", "did not read all");
	std::snprintf(characters, sizeof(characters), ", %.1f characters", s.characters());
	compete("read " + title + characters,
	    {
	        { "normd", [&] { return ours<number>::read(s.begin(), s.end(), s.read.data()); }, {} },
	        { "normd, the whole body",
	            [&] { return ours<number>::scan(s.document.data(), s.document.size()); }, {} },
	        { "simdjson on demand", [&] { return read_simdjson(s, parser); }, {} },
	        { "std::from_chars", [&] { return read_each(s, from_chars); }, {} },
	        { narrow ? "strtof" : "strtod", [&] { return read_each(s, strto); }, {} },
	        { "cJSON", [&] { return read_cjson(s); }, {} },
	    },
	    rounds);
}

template <typename number>
void
bench_write(const std::string &title, sheet<number> &s, int rounds)
{
	constexpr bool narrow = std::is_same_v<number, float>;
	cJSON *list = cJSON_CreateArray();
	auto to_chars = [](char *p, number v) { return std::to_chars(p, p + TEXT_MAX - 1, v).ptr; };
	auto print = [](char *p, number v) {
		return p + std::sprintf(p, narrow ? "%.9g" : "%.17g", static_cast<double>(v));
	};

	for (number v : s.values)
		cJSON_AddItemToArray(list, cJSON_CreateNumber(static_cast<double>(v)));
	compete("write " + title,
	    {
	        { "normd", [&] { return ours<number>::write(s.values.data(), COUNT, s.written.data()); }, {} },
	        { "normd, the whole answer", [&] { return ours<number>::answer(s.values.data(), COUNT); }, {} },
	        { "std::to_chars", [&] { return write_each(s, to_chars); }, {} },
	        { narrow ? "printf %.9g" : "printf %.17g", [&] { return write_each(s, print); }, {} },
	        { "cJSON", [&] { return write_cjson(s, list); }, {} },
	    },
	    rounds);
	cJSON_Delete(list);
}

template <typename number>
void
bench(const std::string &title, const std::function<number()> &draw, int rounds)
{
	sheet<number> s(draw);

	bench_read(title, s, rounds);
	bench_write(title, s, rounds);
}

} // namespace

int
main(int argc, char **argv)
{
	const int rounds = argc > 1 ? std::atoi(argv[1]) : 61;
	std::mt19937_64 random(20240229);
	std::normal_distribution<double> normal;
	std::uniform_int_distribution<int> pixel(0, 255), magnitude(-100, 99);

	// Keeps freed memory, as in a daemon: else malloc would shrink the heap after each of cJSON's trees.
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mallopt(M_MMAP_THRESHOLD, 1 << 25);
	std::printf("%zu numbers, medians of %d rounds in turn\n", COUNT, rounds);
	bench<float>("float32 normal", [&] { return static_cast<float>(normal(random)); }, rounds);
	bench<float>("float32 0 to 255", [&] { return static_cast<float>(pixel(random)); }, rounds);
	bench<float>(
	    "float32 any size", [&] { return static_cast<float>(std::ldexp(normal(random), magnitude(random))); },
	    rounds);
	bench<double>("float64 normal", [&] { return normal(random); }, rounds);
	return 0;
}
