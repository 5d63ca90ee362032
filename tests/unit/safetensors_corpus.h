/* SPDX-License-Identifier: MIT */
/*
 * safetensors files. Those that must be refused, and why: their header, and the length and data around it where these
 * are what is wrong. `offset` is the byte that the error must name, `detail` a part of its message. And files that must
 * be read, among them those of the reference library's own tests (huggingface/safetensors, safetensors/src/tensor.rs).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The header stands at byte 8. */
#define AT(n) (8 + (n))

struct safetensors_header_case {
	const char *header;
	size_t data; /* bytes */
	uint64_t offset;
	const char *detail;
};

#define T1 "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}"
#define OF(shape, offsets) "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct safetensors_header_case safetensors_bad_headers[] = {
	/* the object and its padding */
	{ "", 0, AT(0), "middle of its JSON" },
	{ " {}", 0, AT(0), "expected '{'" },
	{ "\n{}", 0, AT(0), "expected '{'" },
	{ "\xef\xbb\xbf{}", 0, AT(0), "expected '{'" },
	{ "[]", 0, AT(0), "expected '{'" },
	{ "null", 0, AT(0), "expected '{'" },
	{ "1", 0, AT(0), "expected '{'" },
	{ "{", 0, AT(1), "middle of its JSON" },
	{ "{\"t\"", 0, AT(4), "middle of its JSON" },
	{ "{\"t", 0, AT(3), "middle of its JSON" },
	{ T1, 4, AT(53), "middle of its JSON" },
	{ "{}\n", 0, AT(2), "only spaces" },
	{ "{} \t", 0, AT(3), "only spaces" },
	{ "{}  x", 0, AT(4), "only spaces" },
	{ "{}{}", 0, AT(2), "only spaces" },
	{ "{]", 0, AT(1), "a key in quotes or '}'" },
	{ "{,}", 0, AT(1), "a key in quotes or '}'" },
	{ "{t:1}", 0, AT(1), "a key in quotes or '}'" },
	{ "{'t':1}", 0, AT(1), "a key in quotes or '}'" },
	{ T1 ",}", 4, AT(54), "a key in quotes" },
	{ T1 " \"u\":{}}", 4, AT(54), "',' or '}'" },
	{ T1 "]", 4, AT(53), "',' or '}'" },
	{ "{\"t\" {}}", 0, AT(5), "':' after the key" },
	/* strings */
	{ "{\"\xff\":{}}", 0, AT(2), "not valid UTF-8" },
	{ "{\"\xc3\":{}}", 0, AT(3), "not valid UTF-8" },
	{ "{\"\xed\xa0\x80\":{}}", 0, AT(3), "not valid UTF-8" },
	{ "{\"\xc0\x80\":{}}", 0, AT(2), "not valid UTF-8" },
	{ "{\"a\nb\":{}}", 0, AT(3), "must be escaped" },
	{ "{\"\\x\":{}}", 0, AT(3), "cannot be followed" },
	{ "{\"\\ud800\":{}}", 0, AT(2), "half of a surrogate pair" },
	{ "{\"\\udc00\":{}}", 0, AT(2), "half of a surrogate pair" },
	{ "{\"\\u12g4\":{}}", 0, AT(6), "hexadecimal" },
	/* the metadata */
	{ "{\"__metadata__\":[]}", 0, AT(16), "an object as \"__metadata__\"" },
	{ "{\"__metadata__\":\"a\"}", 0, AT(16), "an object as \"__metadata__\"" },
	{ "{\"__metadata__\":nul}", 0, AT(19), "the rest of true, false or null" },
	{ "{\"__metadata__\":{\"a\":1}}", 0, AT(21), "are strings" },
	{ "{\"__metadata__\":{\"a\":null}}", 0, AT(21), "are strings" },
	{ "{\"__metadata__\":{\"a\":{}}}", 0, AT(21), "are strings" },
	{ "{\"__metadata__\":{\"a\":[\"b\"]}}", 0, AT(21), "are strings" },
	{ "{\"__metadata__\":{\"a\":\"b\",\"a\":\"b\"}}", 0, AT(1), "\"a\" is given twice in \"__metadata__\"" },
	{ "{\"__metadata__\":{\"a\":\"b\",\"\\u0061\":\"c\"}}", 0, AT(1), "\"a\" is given twice" },
	{ "{\"__metadata__\":{},\"__metadata__\":{}}", 0, AT(19), "\"__metadata__\" is given twice" },
	{ "{\"__metadata__\":{},\"__metad\\u0061ta__\":null}", 0, AT(19), "\"__metadata__\" is given twice" },
	/* a tensor's members */
	{ "{\"t\":1}", 0, AT(5), "an object with dtype, shape and data_offsets" },
	{ "{\"t\":null}", 0, AT(5), "an object with dtype, shape and data_offsets" },
	{ "{\"t\":[\"F32\",[1],[0,4]]}", 4, AT(5), "an object with dtype, shape and data_offsets" },
	{ "{\"t\":{}}", 0, AT(1), "tensor \"t\" has no \"dtype\"" },
	{ "{\"t\":{\"shape\":[],\"data_offsets\":[0,4]}}", 4, AT(1), "tensor \"t\" has no \"dtype\"" },
	{ "{\"t\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, AT(1), "tensor \"t\" has no \"shape\"" },
	{ "{\"t\":{\"dtype\":\"F32\",\"shape\":[]}}", 4, AT(1), "tensor \"t\" has no \"data_offsets\"" },
	{ "{\"t\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, AT(20),
	    "\"dtype\" is given twice for tensor \"t\"" },
	{ "{\"t\":{\"dtype\":\"F32\",\"shape\":[],\"shap\\u0065\":[],\"data_offsets\":[0,4]}}", 4, AT(31),
	    "\"shape\" is given twice for tensor \"t\"" },
	{ "{\"t\":{\"dtype\":\"F32\",\"data_offsets\":[0,4],\"shape\":[],\"data_offsets\":[0,4]}}", 4, AT(52),
	    "\"data_offsets\" is given twice for tensor \"t\"" },
	{ "{\"t\":{\"dtype\":\"F31\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, AT(14), "\"F31\", which is not known" },
	{ "{\"t\":{\"dtype\":\"f32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, AT(14), "\"f32\", which is not known" },
	{ "{\"t\":{\"dtype\":\"\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, AT(14), "\"\", which is not known" },
	{ "{\"t\":{\"dtype\":{\"F32\":null},\"shape\":[],\"data_offsets\":[0,4]}}", 4, AT(14),
	    "a string as \"dtype\"" },
	{ "{\"t\":{\"dtype\":null,\"shape\":[],\"data_offsets\":[0,4]}}", 4, AT(14), "a string as \"dtype\"" },
	{ "{\"t\":" OF("1", "[0,4]") "}", 4, AT(28), "a list as \"shape\"" },
	{ "{\"t\":" OF("null", "[0,4]") "}", 4, AT(28), "a list as \"shape\"" },
	{ "{\"t\":" OF("[[1]]", "[0,4]") "}", 4, AT(29), "a whole number or ']'" },
	{ "{\"t\":" OF("[1.0]", "[0,4]") "}", 4, AT(30), "with digits alone" },
	{ "{\"t\":" OF("[1e0]", "[0,4]") "}", 4, AT(30), "with digits alone" },
	{ "{\"t\":" OF("[-1]", "[0,4]") "}", 4, AT(29), "a whole number or ']'" },
	{ "{\"t\":" OF("[-0]", "[0,0]") "}", 0, AT(29), "a whole number or ']'" },
	{ "{\"t\":" OF("[01]", "[0,4]") "}", 4, AT(30), "unexpected '1' in a number" },
	{ "{\"t\":" OF("[\"1\"]", "[0,4]") "}", 4, AT(29), "a whole number or ']'" },
	{ "{\"t\":" OF("[1,]", "[0,4]") "}", 4, AT(31), "expected a whole number" },
	{ "{\"t\":" OF("[,1]", "[0,4]") "}", 4, AT(29), "a whole number or ']'" },
	{ "{\"t\":" OF("[1 1]", "[0,4]") "}", 4, AT(31), "',' or ']'" },
	{ "{\"t\":" OF("[1}", "[0,4]") "}", 4, AT(30), "',' or ']'" },
	{ "{\"t\":" OF("[18446744073709551616]", "[0,4]") "}", 4, AT(29), "exceeds 64 bits" },
	{ "{\"t\":" OF("[99999999999999999999999]", "[0,4]") "}", 4, AT(29), "exceeds 64 bits" },
	{ "{\"t\":" OF("[1]", "4") "}", 4, AT(47), "a list as \"data_offsets\"" },
	{ "{\"t\":" OF("[1]", "{}") "}", 4, AT(47), "a list as \"data_offsets\"" },
	{ "{\"t\":" OF("[1]", "[]") "}", 4, AT(48), "needs two data_offsets, not 0" },
	{ "{\"t\":" OF("[1]", "[0]") "}", 4, AT(49), "needs two data_offsets, not 1" },
	{ "{\"t\":" OF("[1]", "[0,4,8]") "}", 4, AT(52), "more than two data_offsets" },
	{ "{\"t\":" OF("[1]", "[0,4.0]") "}", 4, AT(51), "with digits alone" },
	{ "{\"t\":" OF("[1]", "[-0,4]") "}", 4, AT(48), "a whole number or ']'" },
	/* shape, dtype and offsets together */
	{ "{\"t\":" OF("[1]", "[4,0]") "}", 4, AT(32), "before it begins" },
	{ "{\"t\":" OF("[1]", "[0,3]") "}", 3, AT(32), "4 bytes by its dtype and shape, but 3" },
	{ "{\"t\":" OF("[1]", "[0,5]") "}", 5, AT(32), "4 bytes by its dtype and shape, but 5" },
	{ "{\"t\":" OF("[2,2]", "[0,4]") "}", 4, AT(34), "16 bytes by its dtype and shape, but 4" },
	{ "{\"t\":" OF("[]", "[0,0]") "}", 0, AT(31), "4 bytes by its dtype and shape, but 0" },
	{ "{\"t\":" OF("[0]", "[0,4]") "}", 4, AT(32), "0 bytes by its dtype and shape, but 4" },
	{ "{\"t\":" OF("[2,18446744073709551614]", "[0,16]") "}", 16, AT(20), "64 bits" },
	{ "{\"t\":" OF("[2,9223372036854775807]", "[0,16]") "}", 16, AT(20), "64 bits" },
	{ "{\"t\":" OF("[4294967296,4294967296,0]", "[0,0]") "}", 0, AT(20), "64 bits" },
	{ "{\"t\":" OF("[4294967296,4294967296]", "[0,0]") "}", 0, AT(20), "64 bits" },
	{ "{\"t\":{\"dtype\":\"F4\",\"shape\":[1,3],\"data_offsets\":[0,2]}}", 2, AT(19), "not whole bytes" },
	/* the tensors together */
	{ "{\"t\":" OF("[1]", "[0,4]") ",\"t\":" OF("[1]", "[4,8]") "}", 8, AT(54), "tensor \"t\" is given twice" },
	{ "{\"t\":" OF("[1]", "[0,4]") ",\"\\u0074\":" OF("[1]", "[4,8]") "}", 8, AT(54),
	    "tensor \"t\" is given twice" },
	{ "{\"t\":" OF("[1]", "[4,8]") "}", 8, AT(1), "no holes" },
	{ "{\"t\":" OF("[1]", "[0,4]") ",\"u\":" OF("[1]", "[5,9]") "}", 9, AT(54), "no holes" },
	{ "{\"t\":" OF("[1]", "[0,4]") ",\"u\":" OF("[1]", "[3,7]") "}", 7, AT(54), "no overlaps" },
	{ "{\"t\":" OF("[1]", "[0,4]") ",\"u\":" OF("[1]", "[0,4]") "}", 4, AT(54), "no overlaps" },
	{ "{\"t\":" OF("[1]", "[0,4]") ",\"u\":" OF("[2]", "[0,8]") "}", 8, AT(54), "no overlaps" },
	{ "{\"t\":" OF("[1]", "[0,4]") ",\"u\":" OF("[0]", "[2,2]") "}", 4, AT(54), "no overlaps" },
	{ "{\"t\":" OF("[1]", "[0,4]") ",\"u\":" OF("[0]", "[5,5]") "}", 5, AT(54), "no holes" },
	{ "{\"t\":" OF("[0]", "[18446744073709551615,18446744073709551615]") "}", 0, AT(1), "no holes" },
	{ "{\"t\":" OF("[1]", "[18446744073709551611,18446744073709551615]") "}", 0, AT(1), "no holes" },
	/* members that are not known may be anything that is JSON */
	{ "{\"t\":{\"x\":tru,\"dtype\":\"F32\"}}", 0, AT(13), "the rest of true, false or null" },
	{ "{\"t\":{\"x\":NaN}}", 0, AT(10), "expected a value" },
	{ "{\"t\":{\"x\":01}}", 0, AT(11), "in a number" },
	{ "{\"t\":{\"x\":1.}}", 0, AT(12), "in a number" },
	{ "{\"t\":{\"x\":[}}", 0, AT(11), "a value or ']'" },
	{ "{\"t\":{\"x\":[1}}", 0, AT(12), "',' or ']'" },
	{ "{\"t\":{\"x\":{\"y\"}}}", 0, AT(14), "':' after the key" },
	{ "{\"t\":{\"x\":{1}}}", 0, AT(11), "a key in quotes or '}'" },
};

struct safetensors_file_case {
	const char *bytes;
	size_t len;
	uint64_t offset;
	const char *detail; /* NULL: the file is good */
};

#define FILE_OF(bytes) (bytes), sizeof(bytes) - 1
#define I32 "<\0\0\0\0\0\0\0{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}"
#define ZEROS8 "\0\0\0\0\0\0\0\0"

static const struct safetensors_file_case safetensors_files[] = {
	/* the length */
	{ FILE_OF(""), 0, "0 bytes: too few" },
	{ FILE_OF("\2\0\0\0\0\0\0"), 7, "7 bytes: too few" },
	{ FILE_OF("\2\0\0\0\0\0\0\0{"), 9, "middle of its header: it has 1 of 2 bytes" },
	{ FILE_OF("\0\0\0\0\0\0\0\0"), 8, "middle of its JSON" },
	{ FILE_OF("\1\341\365\5\0\0\0\0{}"), 0, "100000001 bytes by its length" },
	{ FILE_OF("\377\377\377\377\377\377\377\377{}"), 0, "18446744073709551615 bytes by its length" },
	{ FILE_OF("PK\3\4\0\0\x08\x08"), 0, "safetensors.torch.save_file" },
	{ FILE_OF("\x80\2\x8a\nl\xfc\x9c\x46"), 0, "safetensors.torch.save_file" },
	{ FILE_OF("\x93NUMPY\1\0"), 0, "a .npy file" },
	{ FILE_OF("{\"weight\":"), 0, "JSON without its length" },
	{ FILE_OF("\4\0\0\0\0\0\0\0{}\0\0"), 10, "pad the header with spaces" },
	/* the data */
	{ FILE_OF("\2\0\0\0\0\0\0\0{}x"), 10, "bytes after the data" },
	{ FILE_OF(I32 ZEROS8 "\0\0\0\0\0\0"), 82, "middle of its data: it has 82 of 84 bytes" },
	{ FILE_OF(I32 ZEROS8 ZEROS8 "extra_bogus_data_for_polyglot_file"), 84, "bytes after the data" },
	/* of the reference: bad */
	{ FILE_OF("<\0\0\0\0\377\377\377{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}"), 0,
	    "by its length" },
	{ FILE_OF("<\0\0\0\0\0\0\0"), 8, "middle of its header" },
	{ FILE_OF("\1\0\0\0\0\0\0\0\377"), 8, "expected '{'" },
	{ FILE_OF("\1\0\0\0\0\0\0\0{"), 9, "middle of its JSON" },
	{ FILE_OF("<\0\0\0\0\0\0\0{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0, 4]}}"), 45,
	    "16 bytes by its dtype and shape, but 4" },
	{ FILE_OF("O\0\0\0\0\0\0\0{\"test\":{\"dtype\":\"I32\",\"shape\":[2,18446744073709551614],"
		  "\"data_offsets\":[0,16]}}" ZEROS8 ZEROS8),
	    31, "64 bits" },
	{ FILE_OF("N\0\0\0\0\0\0\0{\"test\":{\"dtype\":\"I32\",\"shape\":[2,9223372036854775807],"
		  "\"data_offsets\":[0,16]}}" ZEROS8 ZEROS8),
	    31, "64 bits" },
	/* good for the reference, but not by the format's description */
	{ FILE_OF("\6\0\0\0\0\0\0\0{}\r \t\n"), 10, "only spaces" },
	{ FILE_OF("\6\0\0\0\0\0\0\0\t\n{}\r "), 8, "expected '{'" },
	/* of the reference: good */
	{ FILE_OF("@\0\0\0\0\0\0\0{\"attn.0\":{\"dtype\":\"F32\",\"shape\":[1,2,3],\"data_offsets\":[0,24]}}"
		  "\0\0\0\0\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40\0\0\xa0\x40"),
	    0, NULL },
	{ FILE_OF("@\0\0\0\0\0\0\0{\"attn.0\":{\"dtype\":\"F4\",\"shape\":[1,2],\"data_offsets\":[0,1]}}    \0"), 0,
	    NULL },
	{ FILE_OF("\10\0\0\0\0\0\0\0{}      "), 0, NULL },
	{ FILE_OF("(\0\0\0\0\0\0\0{\"__metadata__\":{\"framework\":\"pt\"}}     "), 0, NULL },
	{ FILE_OF("H\0\0\0\0\0\0\0{\"attn0\":{\"dtype\":\"F32\",\"shape\":[1,1,2,3],\"data_offsets\":[0,24]}}       "
		  "\0\0\0\0\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40\0\0\xa0\x40"),
	    0, NULL },
	{ FILE_OF("8\0\0\0\0\0\0\0{\"test\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[0,4]}}\0\0\0\0"), 0,
	    NULL },
	{ FILE_OF(I32 ZEROS8 ZEROS8), 0, NULL },
	{ FILE_OF("<\0\0\0\0\0\0\0{\"test\":{\"dtype\":\"I32\",\"shape\":[2,0],\"data_offsets\":[0, 0]}}"), 0, NULL },
};

/* Headers of good files: what the format allows, and what the reference does where it leaves room. */
static const struct {
	const char *header;
	size_t data;
} safetensors_good_headers[] = {
	{ "{}", 0 },
	{ "{ }                                                ", 0 },
	{ "{\"__metadata__\":{}}", 0 },
	{ "{\"__metadata__\":null}", 0 },
	{ "{\"__metadata__\":{\"\":\"\",\"a\":\"\\u0000\\\"\\\\\\/\\b\\f\\n\\r\\t\\ud834\\udd1e\xc3\xa9\"}}", 0 },
	{ "{\"__metad\\u0061ta__\":{\"a\":\"b\"}}", 0 },
	{ "{\"\":" OF("[1]", "[0,4]") "}", 4 },
	{ "{\"a\\u0000\":" OF("[1]", "[0,4]") ",\"a\\\\u0000\":" OF("[1]", "[4,8]") ",\"a\":" OF("[]", "[8,12]") "}",
	    12 },
	{ "{\"t\":{\"data_offsets\":[0,8],\"shape\":[4],\"dtype\":\"BF16\"}}", 8 },
	{ "{\n\t\"t\" : { \"dtype\" : \"F16\" , \"shape\" : [ 2 , 1 ] , \"data_offsets\" : [ 0 , 4 ] }\r\n}  ", 4 },
	{ "{\"t\":{\"dtype\":\"U8\",\"x\":{\"x\":[1,-2.5e+3,\"\\ud834\\udd1e\",[],{},{\"x\":null}],\"x\":true},"
	  "\"shape\":[3],"
	  "\"data_offsets\":[0,3],\"x\":false}}",
	    3 },
	{ "{\"b\":" OF("[1]", "[4,8]") ",\"__metadata__\":{\"k\":\"v\"},\"a\":" OF("[1]", "[0,4]") "}", 8 },
	/* no values: they share their offsets, in any order */
	{ "{\"a\":" OF("[1]", "[0,4]") ",\"b\":" OF("[0]", "[0,0]") ",\"c\":" OF("[3,0]", "[4,4]") "}", 4 },
	{ "{\"a\":" OF("[0,4294967296,4294967296]", "[0,0]") ",\"b\":" OF("[0]", "[0,0]") "}", 0 },
	{ "{\"a\":" OF("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]") "}",
	    4 },
	/* unaligned, and every type */
	{ "{\"a\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]},\"b\":" OF(
	      "[2]", "[1,9]") ",\"c\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[9,25]}"
			      ",\"d\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[25,29]}"
			      ",\"e\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[29,33]}"
			      ",\"f\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[33,41]}}",
	    41 },
	{ "{\"a\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]}"
	  ",\"b\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[3,5]}"
	  ",\"c\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[5,9]}"
	  ",\"d\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[9,17]}"
	  ",\"e\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[17,18]}"
	  ",\"f\":{\"dtype\":\"U16\",\"shape\":[1],\"data_offsets\":[18,20]}"
	  ",\"g\":{\"dtype\":\"U32\",\"shape\":[1],\"data_offsets\":[20,24]}"
	  ",\"h\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[24,32]}}",
	    32 },
	{ "{\"a\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,1]}"
	  ",\"b\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[1,4]}"
	  ",\"c\":{\"dtype\":\"F6_E3M2\",\"shape\":[4],\"data_offsets\":[4,7]}"
	  ",\"d\":{\"dtype\":\"F8_E5M2\",\"shape\":[1],\"data_offsets\":[7,8]}"
	  ",\"e\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[8,9]}"
	  ",\"f\":{\"dtype\":\"F8_E8M0\",\"shape\":[1],\"data_offsets\":[9,10]}"
	  ",\"g\":{\"dtype\":\"F8_E4M3FNUZ\",\"shape\":[1],\"data_offsets\":[10,11]}"
	  ",\"h\":{\"dtype\":\"F8_E5M2FNUZ\",\"shape\":[1],\"data_offsets\":[11,12]}}",
	    12 },
};
