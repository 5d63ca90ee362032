/* SPDX-License-Identifier: MIT */
/*
 * .npy files that must be refused, and why: their dict, and the version, length and data around it where these are what
 * is wrong. `offset` is the byte that the error must name.
 */
#pragma once

#include <stdint.h>

/* 1.0: the dict stands at byte 10. */
#define AT(n) (10 + (n))

struct npy_dict_case {
	const char *dict;
	uint64_t offset;
	const char *detail; /* a part of the message */
};

#define F4 "{'descr': '<f4', "
#define REST "'fortran_order': False, 'shape': (2,), }"

static const struct npy_dict_case npy_bad_dicts[] = {
	{ "", AT(0), "a dict" },
	{ "   ", AT(3), "a dict" },
	{ "null", AT(0), "a dict" },
	{ "[]", AT(0), "a dict" },
	{ "{", AT(1), "a key in quotes" },
	{ "{}", AT(0), "no 'descr'" },
	{ "{descr: '<f4'}", AT(1), "a key in quotes" },
	{ "{'descr", AT(2), "a string that ends" },
	{ "{'descr': '<f4}", AT(11), "a string that ends" },
	{ "{'descr' '<f4'}", AT(9), "':' after the key" },
	{ "{'descr': }", AT(10), "a datatype" },
	{ "{'descr': 4}", AT(10), "a datatype" },
	{ "{'descr': None}", AT(10), "a datatype" },
	{ F4 "'shape': (2,), }", AT(0), "no 'fortran_order'" },
	{ F4 "'fortran_order': False}", AT(0), "no 'shape'" },
	{ "{" REST, AT(0), "no 'descr'" },
	{ F4 "'descr': '<f4', " REST, AT(17), "descr is given twice" },
	{ F4 "'shape': (2,), " REST, AT(56), "shape is given twice" },
	{ F4 "'order': 1, " REST, AT(17), "order is not known" },
	{ F4 "'Shape': (2,), " REST, AT(17), "Shape is not known" },
	{ F4 REST " x", AT(58), "nothing but spaces" },
	{ F4 REST "}", AT(57), "nothing but spaces" },
	{ F4 "'fortran_order': False 'shape': (2,)}", AT(40), "',' or '}'" },
	{ F4 ", " REST, AT(17), "a key in quotes" },
	/* datatypes: objects, integers, complex, strings, records, long double, another spelling, pickles */
	{ "{'descr': '|O', " REST, AT(10), "|O is not supported" },
	{ "{'descr': 'O', " REST, AT(10), "O is not supported" },
	{ "{'descr': '<i4', " REST, AT(10), "<i4 is not supported" },
	{ "{'descr': '|u1', " REST, AT(10), "|u1 is not supported" },
	{ "{'descr': '|b1', " REST, AT(10), "|b1 is not supported" },
	{ "{'descr': '<c8', " REST, AT(10), "<c8 is not supported" },
	{ "{'descr': '<f16', " REST, AT(10), "<f16 is not supported" },
	{ "{'descr': '<U4', " REST, AT(10), "<U4 is not supported" },
	{ "{'descr': '|V4', " REST, AT(10), "|V4 is not supported" },
	{ "{'descr': '>V2', " REST, AT(10), ">V2 is not supported" },
	{ "{'descr': '<f4\\x00', " REST, AT(10), "is not supported" },
	{ "{'descr': '<float32', " REST, AT(10), "<float32 is not supported" },
	{ "{'descr': 'Float32', " REST, AT(10), "Float32 is not supported" },
	{ "{'descr': '!f4', " REST, AT(10), "!f4 is not supported" },
	{ "{'descr': ' f4', " REST, AT(10), " f4 is not supported" },
	{ "{'descr': '<<f4', " REST, AT(10), "<<f4 is not supported" },
	{ "{'descr': '<', " REST, AT(10), "< is not supported" },
	{ "{'descr': 'longdouble', " REST, AT(10), "longdouble is not supported" },
	{ "{u'descr': uu'f4', " REST, AT(11), "a datatype" },
	{ "{'descr': '', " REST, AT(10), "is not supported" },
	{ "{'descr': [('x', '<f4')], " REST, AT(10), "arrays of records" },
	{ "{'descr': ('<f4', (2,)), " REST, AT(10), "arrays of records" },
	/* order */
	{ F4 "'fortran_order': 0, 'shape': (2,), }", AT(34), "True or False" },
	{ F4 "'fortran_order': 'False', 'shape': (2,), }", AT(34), "True or False" },
	{ F4 "'fortran_order': true, 'shape': (2,), }", AT(34), "True or False" },
	{ F4 "'fortran_order': Falsehood, 'shape': (2,), }", AT(39), "',' or '}'" },
	/* shapes */
	{ F4 "'fortran_order': False, 'shape': 2, }", AT(50), "a tuple" },
	{ F4 "'fortran_order': False, 'shape': [2], }", AT(50), "a tuple" },
	{ F4 "'fortran_order': False, 'shape': (2), }", AT(52), "',' in a tuple of one" },
	{ F4 "'fortran_order': False, 'shape': (), }", AT(52), "at least one extent" },
	{ F4 "'fortran_order': False, 'shape': (,), }", AT(51), "a whole number" },
	{ F4 "'fortran_order': False, 'shape': (2,,), }", AT(53), "a whole number" },
	{ F4 "'fortran_order': False, 'shape': (2 3), }", AT(53), "',' in a tuple of one" },
	{ F4 "'fortran_order': False, 'shape': (2, 3 4), }", AT(56), "',' or ')'" },
	{ F4 "'fortran_order': False, 'shape': (2, 3", AT(55), "',' or ')'" },
	{ F4 "'fortran_order': False, 'shape': (-2,), }", AT(51), "negative extent" },
	{ F4 "'fortran_order': False, 'shape': (2, -1), }", AT(54), "negative extent" },
	{ F4 "'fortran_order': False, 'shape': (+2,), }", AT(51), "a whole number" },
	{ F4 "'fortran_order': False, 'shape': (2.0,), }", AT(52), "',' in a tuple of one" },
	{ F4 "'fortran_order': False, 'shape': (1e3,), }", AT(52), "',' in a tuple of one" },
	{ F4 "'fortran_order': False, 'shape': (0x2,), }", AT(52), "',' in a tuple of one" },
	{ F4 "'fortran_order': False, 'shape': (02,), }", AT(53), "a whole number" },
	{ F4 "'fortran_order': False, 'shape': (None,), }", AT(51), "a whole number" },
	{ F4 "'fortran_order': False, 'shape': (18446744073709551616,), }", AT(71), "extent of the shape overflows" },
	{ F4 "'fortran_order': False, 'shape': (99999999999999999999999999,), }", AT(77),
	    "extent of the shape overflows" },
	{ F4 "'fortran_order': False, 'shape': (4294967296, 4294967296), }", AT(74), "values is too large" },
	{ F4 "'fortran_order': False, 'shape': (4611686018427387904,), }", AT(72), "values is too large" },
	{ F4 "'fortran_order': False, 'shape': (0, 4294967296, 4294967296), }", AT(77), "values is too large" },
	{ F4 "'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}",
	    AT(116), "more than 32 extents" },
};

/* Whole files, from the first byte on. */
struct npy_file_case {
	const char *bytes;
	size_t len;
	uint64_t offset;
	const char *detail;
};

#define FILE_CASE(bytes, offset, detail) \
	{ \
		bytes, sizeof(bytes) - 1, offset, detail \
	}
#define MAGIC "\x93NUMPY"
/* 54 bytes of dict: two floats. */
#define DICT "{'descr': '<f4', 'fortran_order': False, 'shape':(2,)}"

static const struct npy_file_case npy_bad_files[] = {
	FILE_CASE("", 0, "in the middle of its header"),
	FILE_CASE("\x93", 1, "in the middle of its header"),
	FILE_CASE(MAGIC, 6, "in the middle of its header"),
	FILE_CASE(MAGIC "\x01", 7, "in the middle of its header"),
	FILE_CASE(MAGIC "\x01\x00", 8, "in the middle of its header"),
	FILE_CASE(MAGIC "\x01\x00\x36", 9, "in the middle of its header"),
	FILE_CASE(MAGIC "\x01\x00\x36\x00", 10, "in the middle of its header"),
	FILE_CASE(MAGIC "\x01\x00\x36\x00{", 11, "in the middle of its header"),
	FILE_CASE("[", 0, "does not begin with"),
	FILE_CASE("{\"data\":[1,2,3]}", 0, "does not begin with"),
	FILE_CASE("\x93numpy\x01\x00\x36\x00" DICT, 0, "does not begin with"),
	FILE_CASE("PK\x03\x04...............", 0, "does not begin with"),
	FILE_CASE("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 0, "does not begin with"),
	FILE_CASE(MAGIC "\x00\x00\x36\x00" DICT, 6, "format 0.0 is not supported"),
	FILE_CASE(MAGIC "\x01\x01\x36\x00" DICT, 6, "format 1.1 is not supported"),
	FILE_CASE(MAGIC "\x04\x00\x36\x00\x00\x00" DICT, 6, "format 4.0 is not supported"),
	FILE_CASE(MAGIC "\xff\xff\x36\x00" DICT, 6, "format 255.255 is not supported"),
	/* The length lies: too short, too long, and far too long. */
	FILE_CASE(MAGIC "\x01\x00\x35\x00" DICT "\0\0\0\0\0\0\0\0", 10 + 53, "',' or '}'"),
	FILE_CASE(MAGIC "\x01\x00\x37\x00" DICT "\0\0\0\0\0\0\0\0", 10 + 54, "nothing but spaces"),
	FILE_CASE(MAGIC "\x01\x00\xff\xff" DICT "\0\0\0\0\0\0\0\0", 8, "65535 bytes by its length"),
	FILE_CASE(MAGIC "\x02\x00\xff\xff\xff\xff" DICT, 8, "4294967295 bytes by its length"),
	FILE_CASE(MAGIC "\x01\x00\x00\x00" DICT, 10, "a dict"),
	/* Data: none, cut within a value, cut between values, too much. */
	FILE_CASE(MAGIC "\x01\x00\x36\x00" DICT, 64, "0 of 8 bytes"),
	FILE_CASE(MAGIC "\x01\x00\x36\x00" DICT "\0\0\0", 67, "3 of 8 bytes"),
	FILE_CASE(MAGIC "\x01\x00\x36\x00" DICT "\0\0\0\0", 68, "4 of 8 bytes"),
	FILE_CASE(MAGIC "\x01\x00\x36\x00" DICT "\0\0\0\0\0\0\0", 71, "7 of 8 bytes"),
	FILE_CASE(MAGIC "\x01\x00\x36\x00" DICT "\0\0\0\0\0\0\0\0x", 72, "bytes after the values"),
	FILE_CASE(MAGIC "\x01\x00\x36\x00" DICT "\0\0\0\0\0\0\0\0\n", 72, "bytes after the values"),
};
