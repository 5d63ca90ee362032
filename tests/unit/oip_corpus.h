/* SPDX-License-Identifier: MIT */
/* Bodies of the Open Inference Protocol: a document, and the bytes of tensors behind it. */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define OIP_BYTES_MAX 4096 /* the limit of the tensors */

struct oip_body {
	const char *document;
	const char *bytes;
	size_t len;
	bool header; /* the length of the document is announced: bytes may follow */
};

#define ALONE(document) \
	{ \
		document, "", 0, false \
	}
#define WITH(document, bytes) \
	{ \
		document, bytes, sizeof(bytes) - 1, true \
	}

/* An input's object, and the members that say where its values are. */
#define IN(name, shape, datatype, rest) \
	"{\"name\":\"" name "\",\"shape\":" shape ",\"datatype\":\"" datatype "\"" rest "}"
#define DATA(list) ",\"data\":" list
#define SIZE(n) ",\"parameters\":{\"binary_data_size\":" #n "}"
#define INPUTS(list) "{\"inputs\":[" list "]}"

/* A body that is taken; its inputs as name=datatype shape (binary or, by the data's form, flat or nested):values. */
struct oip_valid {
	struct oip_body body;
	const char *want;
};

static const struct oip_valid oip_valid[] = {
	/* no inputs: what that means is not the decoder's to say */
	{ ALONE("{}"), "" },
	{ ALONE("{\"inputs\":[]}"), "" },
	{ ALONE("{\"inputs\":null}"), "" },
	{ ALONE("[1,2]"), "" },
	{ ALONE("[{\"inputs\":7}]"), "" },
	{ ALONE(" null "), "" },
	{ WITH("{}", ""), "" },
	/* data */
	{ ALONE(INPUTS(IN("a", "[2]", "FP32", DATA("[1,-2.5]")))), "a=FP32[2]flat:1 -2.5" },
	{ ALONE(INPUTS(IN("a", "[2,1]", "FP64", DATA("[[0.1],[1e300]]")))),
	    "a=FP64[2,1]nested:0.10000000000000001 1.0000000000000001e+300" },
	{ ALONE(INPUTS(IN("a", "[1,2]", "FP16", DATA("[65504,-0]")))), "a=FP16[1,2]flat:0x7bff 0x8000" },
	{ ALONE(INPUTS(IN("a", "[0,3]", "FP32", DATA("[]")))), "a=FP32[0,3]flat:" },
	{ ALONE(INPUTS(IN("a", "[2,0]", "FP32", DATA("[[],[]]")))), "a=FP32[2,0]nested:" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", DATA("[1]")) "," IN("b", "[2]", "FP64", DATA("[2,3]")) "," IN(
	      "c", "[1]", "FP32", DATA("[4]")))),
	    "a=FP32[1]flat:1 b=FP64[2]flat:2 3 c=FP32[1]flat:4" },
	/* members in any order, of the root and of an input; others are kept */
	{ ALONE("{\"outputs\":[{\"name\":\"a\"}],\"id\":\"7\",\"inputs\":[{\"data\":[1,2],\"datatype\":\"FP64\","
		"\"parameters\":{\"x\":[1,{}]},\"shape\":[2],\"name\":\"a\"}],\"parameters\":{\"mode\":\"train\"}}"),
	    "a=FP64[2]flat:1 2" },
	{ ALONE("{\"inputs\":[{\"shape\":[2,1],\"data\":[1,2],\"name\":\"a\",\"datatype\":\"FP16\"}]}"),
	    "a=FP16[2,1]flat:0x3c00 0x4000" },
	{ ALONE("{\"inputs\":[{\"data\":[[1],[2]],\"name\":\"a\",\"shape\":[2,1],\"datatype\":\"FP32\"}]}"),
	    "a=FP32[2,1]nested:1 2" },
	/* names are any text; equal keys elsewhere mean nothing */
	{ ALONE(INPUTS(IN("\\u0061\\u00e9 \\\"", "[1]", "FP32", DATA("[1]")))), "a\xc3\xa9 \"=FP32[1]flat:1" },
	{ ALONE(INPUTS(IN("", "[1]", "FP32", DATA("[1]")))), "=FP32[1]flat:1" },
	{ ALONE("{\"data\":7,\"shape\":\"x\",\"datatype\":[],\"name\":1,\"0\":1}"), "" },
	{ ALONE("{\"parameters\":{\"inputs\":5}}"), "" },
	/* values that are not finite */
	{ ALONE(INPUTS(IN("a", "[4]", "FP32", DATA("[NaN,Infinity, -Infinity,1]")))), "a=FP32[4]flat:nan inf -inf 1" },
	{ ALONE(INPUTS(IN("a", "[1,3]", "FP64", DATA("[[NaN,Infinity,-Infinity]]")))),
	    "a=FP64[1,3]nested:nan inf -inf" },
	{ ALONE(INPUTS(IN("a", "[3]", "FP16", DATA("[NaN,Infinity,-Infinity]")))),
	    "a=FP16[3]flat:0x7e00 0x7c00 0xfc00" },
	{ ALONE("{\"inputs\":[{\"name\":\"a\",\"data\":[-1,NaN,-Infinity,Infinity,70000],\"shape\":[5],"
		"\"datatype\":\"FP32\"}]}"),
	    "a=FP32[5]flat:-1 nan -inf inf 70000" },
	{ ALONE("{\"inputs\":[{\"name\":\"a\",\"data\":[NaN,-Infinity,Infinity,-2],\"shape\":[4],"
		"\"datatype\":\"FP16\"}]}"),
	    "a=FP16[4]flat:0x7e00 0xfc00 0x7c00 0xc000" },
	/* bytes */
	{ WITH(INPUTS(IN("a", "[2]", "FP32", SIZE(8))), "\0\0\x80\x3f\0\0\x20\xc0"), "a=FP32[2]binary:1 -2.5" },
	{ WITH(INPUTS(IN("a", "[1]", "FP64", SIZE(8))), "\0\0\0\0\0\0\x04\xc0"), "a=FP64[1]binary:-2.5" },
	{ WITH(INPUTS(IN("a", "[2,1]", "FP16", SIZE(4))), "\0\x3c\0\xfe"), "a=FP16[2,1]binary:0x3c00 0xfe00" },
	{ WITH(INPUTS(IN("a", "[1,2]", "BF16", SIZE(4))), "\x80\x3f\x20\xc0"), "a=BF16[1,2]binary:0x3f80 0xc020" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", SIZE(4))), "\0\0\xc0\x7f"), "a=FP32[1]binary:nan" },
	{ WITH(INPUTS(IN("a", "[0]", "FP32", SIZE(0))), ""), "a=FP32[0]binary:" },
	{ ALONE(INPUTS(IN("a", "[0]", "FP32", ",\"data\":null" SIZE(0)))), "a=FP32[0]binary:" },
	{ WITH(INPUTS(IN("a", "[3,0]", "BF16", SIZE(0)) "," IN("b", "[1]", "FP16", SIZE(2)) "," IN(
		   "c", "[0,1099511627776]", "FP64", SIZE(0))),
	      "\0\x3c"),
	    "a=BF16[3,0]binary: b=FP16[1]binary:0x3c00 c=FP64[0,1099511627776]binary:" },
	{ WITH(INPUTS(IN("a", "[1]", "FP16", SIZE(2)) "," IN("b", "[1]", "FP32", SIZE(4)) "," IN(
		   "c", "[1]", "FP16", SIZE(2))),
	      "\0\x3c\0\0\x80\x3f\0\x40"),
	    "a=FP16[1]binary:0x3c00 b=FP32[1]binary:1 c=FP16[1]binary:0x4000" },
	/* both */
	{ WITH(INPUTS(IN("a", "[1]", "FP32", DATA("[5]")) "," IN("b", "[1]", "FP16", SIZE(2)) "," IN("c", "[2]", "FP64",
		   DATA("[6,7]")) "," IN("d", "[1]", "FP16", SIZE(2)) "," IN("e", "[1]", "FP32", DATA("[8]"))),
	      "\0\x3c\0\x40"),
	    "a=FP32[1]flat:5 b=FP16[1]binary:0x3c00 c=FP64[2]flat:6 7 d=FP16[1]binary:0x4000 e=FP32[1]flat:8" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", DATA("[5]"))), ""), "a=FP32[1]flat:5" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", ",\"data\":null" SIZE(4))), "\0\0\x80\x3f"), "a=FP32[1]binary:1" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", ",\"parameters\":null" DATA("[5]")))), "a=FP32[1]flat:5" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32",
	      ",\"parameters\":{\"binary_data_size\":null,\"shared_memory_region\":null}" DATA("[5]")))),
	    "a=FP32[1]flat:5" },
	/* other spellings of the members that the decoder's short way reads */
	{ WITH("{\"inputs\":[{\"name\":\"a\",\"shape\":[ 1 , 2.0 "
	       "],\"datatype\":\"FP16\",\"parameters\":{\"binary_data_size\""
	       ":4e0}}]}\n ",
	      "\0\x3c\0\x40"),
	    "a=FP16[1,2]binary:0x3c00 0x4000" },
	{ WITH("{\"id\":\"\",\"inputs\":[{\"name\":\"a\",\"shape\":[2,1],\"datatype\":\"FP16\",\"parameters\":"
	       "{\"binary_data_size\":4,\"x\":-1.5e3,\"y\":null}}],\"outputs\":[{\"name\":\"a\",\"parameters\":"
	       "{\"binary_data\":true}}],\"parameters\":{\"binary_data_output\":false,\"timeout\":0,\"l\":[[],{}]}}",
	      "\0\x3c\0\x40"),
	    "a=FP16[2,1]binary:0x3c00 0x4000" },
	{ WITH("{\"inputs\" : [ {\"parameters\" : {\"binary_data_size\" : 2} ,\t\"datatype\" : \"FP16\" ,\r\n\"shape\""
	       " : [1], \"name\" : \"n\\u0061\"} ] }",
	      "\0\x3c"),
	    "na=FP16[1]binary:0x3c00" },
};

/*
 * A body that is refused. The error's offset: 0, an '@' marks it in the document, and is not there; n, it is that of
 * the n-th of the bytes; or one of these.
 */
#define NOWHERE (-1)   /* it has none */
#define SOMEWHERE (-2) /* in the document */

struct oip_invalid {
	struct oip_body body;
	enum err_code code;
	int at;
	const char *says;
};

static const struct oip_invalid oip_invalid[] = {
	/* not JSON */
	{ ALONE("@"), ERR_BAD_JSON, 0, "the document is empty" },
	{ ALONE("{\"inputs\":[@"), ERR_BAD_JSON, 0, "in the middle of a list" },
	{ WITH("{\"inputs\":[@", "]}"), ERR_BAD_JSON, 0,
	    "by Inference-Header-Content-Length, the JSON has 11 bytes: the document ends in the middle of a list" },
	{ ALONE("{\"inputs\":[]}@x"), ERR_BAD_JSON, 0,
	    "nothing but white space after the document, not 'x'; binary tensors begin where "
	    "Inference-Header-Content-Length says" },
	{ ALONE("{\"inputs\":[],@\"inputs\":[]}"), ERR_BAD_JSON, 0, "given twice" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", ",@\"name\":\"b\"" DATA("[1]")))), ERR_BAD_JSON, 0, "given twice" },
	{ ALONE("{\"x\":@NaN}"), ERR_BAD_JSON, 0, "JSON has no NaN" },
	{ ALONE("{\"x\":-@Infinity}"), ERR_BAD_JSON, 0, "unexpected 'I' in a number" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", DATA("[Na@n]")))), ERR_BAD_JSON, 0, "the rest of NaN or Infinity" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", DATA("[-@NaN]")))), ERR_BAD_JSON, 0, "unexpected 'N' in a number" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", DATA("[NaN@1]")))), ERR_BAD_JSON, 0, "expected ',' or ']'" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", DATA("[-Inf@,1]")))), ERR_BAD_JSON, 0, "the rest of NaN or Infinity" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", DATA("[@nan]")))), ERR_BAD_TENSOR, 0, "is written NaN" },
	/* inputs that are not described */
	{ ALONE("{\"inputs\":@{}}"), ERR_BAD_TENSOR, 0, "\"inputs\" must be a list" },
	{ ALONE("{\"inputs\":@7}"), ERR_BAD_TENSOR, 0, "\"inputs\" must be a list" },
	{ ALONE("{\"inputs\":[@[1]]}"), ERR_BAD_TENSOR, 0, "inputs[0]: expected an object" },
	{ ALONE("{\"inputs\":[@null]}"), ERR_BAD_TENSOR, 0, "inputs[0]: expected an object" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", DATA("[1]")) ",@1")), ERR_BAD_TENSOR, 0,
	    "inputs[1]: expected an object" },
	{ ALONE("{\"inputs\":[{@}]}"), ERR_BAD_TENSOR, 0, "inputs[0] has no \"name\"" },
	{ ALONE("{\"inputs\":[{\"name\":@7}]}"), ERR_BAD_TENSOR, 0, "inputs[0]: a name must be a string" },
	{ ALONE("{\"inputs\":[{\"name\":null@}]}"), ERR_BAD_TENSOR, 0, "inputs[0] has no \"name\"" },
	{ ALONE("{\"inputs\":[{\"name\":\"a\"@}]}"), ERR_BAD_TENSOR, 0, "inputs[0] (\"a\") has no \"shape\"" },
	{ ALONE("{\"inputs\":[{\"name\":\"a\",\"data\":[1],\"datatype\":\"FP32\"@}]}"), ERR_BAD_TENSOR, 0,
	    "inputs[0] (\"a\") has no \"shape\"" },
	{ ALONE("{\"inputs\":[{\"name\":\"a\",\"data\":[1],\"shape\":[1]@}]}"), ERR_BAD_TENSOR, 0,
	    "inputs[0] (\"a\") has no \"datatype\"" },
	{ ALONE(INPUTS(IN("a", "[@]", "FP32", DATA("[1]")))), ERR_BAD_TENSOR, 0, "at least one extent" },
	{ ALONE(INPUTS(IN("a", "@3", "FP32", DATA("[1]")))), ERR_BAD_TENSOR, 0, "expected a list of whole numbers" },
	{ ALONE(INPUTS(IN("a", "[@-1]", "FP32", DATA("[1]")))), ERR_BAD_TENSOR, 0, "0 or more, not -1" },
	{ ALONE(INPUTS(IN("a", "[@1.5]", "FP32", DATA("[1]")))), ERR_BAD_TENSOR, 0, "0 or more, not 1.5" },
	{ WITH(INPUTS(IN("a", "[4294967296,@4294967296]", "FP32", SIZE(0))), ""), ERR_BAD_TENSOR, 0, "is too large" },
	{ WITH(INPUTS(IN("a", "[1]", "INT64", SIZE(8))), "12345678"), ERR_BAD_TENSOR, SOMEWHERE,
	    "\"INT64\" is not supported" },
	{ WITH(INPUTS(IN("a", "[1]", "BYTES", SIZE(8))), "12345678"), ERR_BAD_TENSOR, SOMEWHERE,
	    "\"BYTES\" is not supported" },
	{ ALONE(INPUTS(IN("a", "[1]", "BOOL", DATA("[true]")))), ERR_BAD_TENSOR, SOMEWHERE,
	    "\"BOOL\" is not supported" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP31", DATA("[1]")))), ERR_BAD_TENSOR, SOMEWHERE, "did you mean \"FP3" },
	{ ALONE("{\"inputs\":[{\"name\":\"a\",\"shape\":[1],\"datatype\":@32}]}"), ERR_BAD_TENSOR, 0,
	    "expected a string" },
	{ ALONE(INPUTS(IN("a", "[1]", "BF16", ",\"data\":@[1]"))), ERR_BAD_TENSOR, 0, "BF16 has no form in JSON" },
	{ ALONE("{\"inputs\":[{\"data\":[1],\"datatype\":@\"BF16\"}]}"), ERR_BAD_TENSOR, 0,
	    "BF16 has no form in JSON" },
	/* data that does not fit */
	{ ALONE(INPUTS(IN("a", "[2]", "FP32", DATA("[1@]")))), ERR_BAD_TENSOR, 0, "inputs[0] (\"a\"): this list has" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", DATA("[1]")) "," IN("b", "[1]", "FP16", DATA("[@65520]")))),
	    ERR_BAD_TENSOR, 0, "inputs[1] (\"b\"): 65520 does not fit FP16" },
	{ ALONE("{\"inputs\":[{\"data\":[NaN,1,@1e39,Infinity],\"datatype\":\"FP32\"}]}"), ERR_BAD_TENSOR, 0,
	    "inputs[0]: 1e39 does not fit FP32" },
	{ ALONE("{\"inputs\":[{\"data\":[NaN,-Infinity,@-70000,Infinity],\"datatype\":\"FP16\"}]}"), ERR_BAD_TENSOR, 0,
	    "inputs[0]: -70000 does not fit FP16" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", ",\"data\":@7"))), ERR_BAD_TENSOR, 0, "expected a list of numbers" },
	{ ALONE(INPUTS(IN("a", "[2000]", "FP32", ",\"data\":@[1]"))), ERR_BODY_TOO_LARGE, 0, "--max-body" },
	/* two inputs with one name */
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", DATA("[1]")) "," IN("\\u0061", "[1]", "FP32", DATA("[1]")))),
	    ERR_BAD_TENSOR, NOWHERE, "the input \"a\" is given twice" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", DATA("[1]")) "," IN("b", "[1]", "FP32", DATA("[1]")) "," IN("c", "[1]",
	      "FP32", DATA("[1]")) "," IN("c", "[2]", "FP32", DATA("[1,2]")) "," IN("b", "[1]", "FP32", DATA("[1]")))),
	    ERR_BAD_TENSOR, NOWHERE, "the input \"c\" is given twice" },
	{ WITH(INPUTS(IN("b", "[1]", "FP16", SIZE(2)) "," IN("b", "[1]", "FP16", SIZE(2))), "1234"), ERR_BAD_TENSOR,
	    NOWHERE, "the input \"b\" is given twice" },
	/* where the values are */
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", ""))), ERR_BAD_TENSOR, NOWHERE,
	    "the input \"a\" has neither \"data\" nor \"binary_data_size\"" },
	{ WITH(INPUTS(IN("a", "[0]", "FP32", "")), ""), ERR_BAD_TENSOR, NOWHERE, "has neither" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", ",\"parameters\":{}")), "1234"), ERR_BAD_TENSOR, NOWHERE, "has neither" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", DATA("[1]") SIZE(4))), "1234"), ERR_BAD_TENSOR, NOWHERE,
	    "the input \"a\" has both \"data\" and \"binary_data_size\"" },
	{ ALONE(INPUTS(IN("a", "[1]", "FP32", SIZE(4)))), ERR_BAD_TENSOR, NOWHERE,
	    "the request has no header Inference-Header-Content-Length" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", SIZE(-4))), "1234"), ERR_BAD_TENSOR, NOWHERE, "0 or more, not -4" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", SIZE(4.5))), "1234"), ERR_BAD_TENSOR, NOWHERE, "0 or more, not 4.5" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", SIZE("4"))), "1234"), ERR_BAD_TENSOR, NOWHERE, "0 or more, not \"4\"" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", SIZE(8))), "12345678"), ERR_BAD_TENSOR, NOWHERE,
	    "is 8, but its shape and datatype need 4" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", SIZE(0))), ""), ERR_BAD_TENSOR, NOWHERE,
	    "is 0, but its shape and datatype need 4" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", SIZE(18446744073709551620))), "1234"), ERR_BAD_TENSOR, NOWHERE,
	    "0 or more, not 18446744073709551620" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", ",\"parameters\":[4]")), "1234"), ERR_BAD_TENSOR, NOWHERE,
	    "must be an object, not a list" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32",
		   ",\"parameters\":{\"shared_memory_region\":\"r\",\"shared_memory_byte_size\":4}")),
	      ""),
	    ERR_BAD_PARAMETER, NOWHERE, "the input \"a\": shared memory is not supported" },
	/* too few bytes, and too many */
	{ WITH(INPUTS(IN("a", "[1]", "FP32", SIZE(4))), ""), ERR_BAD_TENSOR, 1,
	    "the input \"a\": it has 0 of 4 bytes" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", SIZE(4))), "123"), ERR_BAD_TENSOR, 4,
	    "the input \"a\": it has 3 of 4 bytes" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", SIZE(4)) "," IN("b", "[1]", "FP16", SIZE(2))), "1234"), ERR_BAD_TENSOR, 5,
	    "the input \"b\": it has 0 of 2 bytes" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", SIZE(4))), "12345"), ERR_BAD_TENSOR, 5,
	    "there are bytes after the tensors" },
	{ WITH(INPUTS(IN("a", "[1]", "FP32", DATA("[1]"))), "1"), ERR_BAD_TENSOR, 1,
	    "there are bytes after the tensors" },
	{ WITH("{}", "\n"), ERR_BAD_TENSOR, 1, "there are bytes after the tensors" },
	{ WITH(INPUTS(IN("a", "[1025]", "FP32", SIZE(4100))), "1"), ERR_BODY_TOO_LARGE, 1, "--max-body" },
	{ WITH(INPUTS(IN("a", "[1024]", "FP32", SIZE(4096)) "," IN("b", "[1]", "FP16", SIZE(2))), ""),
	    ERR_BODY_TOO_LARGE, 1, "the tensors have 4098 bytes" },
	{ WITH(INPUTS(IN("a", "[2305843009213693951]", "FP64", SIZE(18446744073709551608)) "," IN(
		   "b", "[2305843009213693951]", "FP64", SIZE(18446744073709551608))),
	      ""),
	    ERR_BODY_TOO_LARGE, 1, "the tensors have 18446744073709551615 bytes" },
};
