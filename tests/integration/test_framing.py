# SPDX-License-Identifier: MIT
"""Where a request ends: heads and bodies that two parties could read differently are refused, in one whole answer,
and the connection ends."""

import re
import select
import socket
import unittest

from normd import PATIENCE, DaemonTest

BODY = b'{"kind":"layer_norm","normalized_shape":[1],"data":[[1]]}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HOST = b"Host: localhost\r\n"
DELETE = b"DELETE /v1/models/victim HTTP/1.1\r\nHost: localhost\r\n\r\n"
GOES_ON, ENDS = False, True


def post(headers, body=BODY, line=b"POST /v1/normalize HTTP/1.1"):
    return line + b"\r\n" + HOST + headers + b"\r\n" + body


def get(headers=b"", line=b"GET /v2/health/live HTTP/1.1", host=HOST):
    return line + b"\r\n" + host + headers + b"\r\n"


def chunks(*sizes_and_data, end=b"0\r\n\r\n"):
    return b"".join(line + b"\r\n" + data + b"\r\n" for line, data in sizes_and_data) + end


def chunked(line, headers=CHUNKED, end=b"0\r\n\r\n"):
    return post(headers, chunks((line, BODY), end=end))


HEX = b"%x" % len(BODY)

# (what it is, the bytes, the status, whether the connection then ends)
TARGETS = [
    ("as it should be", get(), 200, GOES_ON),
    ("absolute form", get(line=b"GET http://localhost/v2/health/live HTTP/1.1"), 200, GOES_ON),
    ("absolute form, port", get(line=b"GET http://localhost:8080/v2/health/live HTTP/1.1"), 200, GOES_ON),
    ("absolute form, https", get(line=b"GET https://localhost/v2/health/live HTTP/1.1"), 200, GOES_ON),
    ("absolute form, capitals", get(line=b"GET HTTP://LOCALHOST/v2/health/live HTTP/1.1"), 200, GOES_ON),
    ("absolute form, address", get(line=b"GET http://[::1]:80/v2/health/live HTTP/1.1"), 200, GOES_ON),
    ("absolute form, query", get(line=b"GET http://localhost/v2/health/live?a=b HTTP/1.1"), 200, GOES_ON),
    ("absolute form, empty path", get(line=b"GET http://localhost HTTP/1.1"), 200, GOES_ON),
    ("absolute form, empty path and a query", get(line=b"GET http://localhost?limit=1 HTTP/1.1"), 400, GOES_ON),
    ("absolute form, its host counts",
     get(line=b"GET http://localhost/v2/health/live HTTP/1.1", host=b"Host: elsewhere\r\n"), 200, GOES_ON),
    ("absolute form, its host counts against it", get(line=b"GET http://elsewhere/v2/health/live HTTP/1.1"), 403,
     GOES_ON),
    ("absolute form, no host", get(line=b"GET http:///v2/health/live HTTP/1.1"), 400, GOES_ON),
    ("absolute form, a user", get(line=b"GET http://user@localhost/v2/health/live HTTP/1.1"), 400, GOES_ON),
    ("absolute form, another scheme", get(line=b"GET ftp://localhost/v2/health/live HTTP/1.1"), 400, GOES_ON),
    ("absolute form without Host", get(line=b"GET http://localhost/v2/health/live HTTP/1.1", host=b""), 400, ENDS),
    ("authority form", get(line=b"GET localhost:80 HTTP/1.1"), 400, GOES_ON),
    ("no slash", get(line=b"GET v2/health/live HTTP/1.1"), 400, GOES_ON),
    ("asterisk", get(line=b"GET * HTTP/1.1"), 400, GOES_ON),
    ("asterisk with OPTIONS", get(line=b"OPTIONS * HTTP/1.1"), 204, GOES_ON),
    ("NUL", get(line=b"GET /v2/health/live\0x HTTP/1.1"), 400, ENDS),
    ("NUL at the end", get(line=b"GET /v2/health/live\0 HTTP/1.1"), 400, ENDS),
    ("%00", get(line=b"GET /v2/health/live%00 HTTP/1.1"), 400, GOES_ON),
    ("control character", get(line=b"GET /v2/health/live\x01 HTTP/1.1"), 400, ENDS),
    ("tab", get(line=b"GET /v2/health/live\t HTTP/1.1"), 400, ENDS),
    ("DEL", get(line=b"GET /v2/health/live?\x7f HTTP/1.1"), 400, ENDS),
    ("beyond ASCII", get(line=b"GET /v2/health/live?\xc3\xa9 HTTP/1.1"), 400, ENDS),
    ("bare CR", get(line=b"GET /v2/health/live\r HTTP/1.1"), 400, ENDS),
    ("a blank in it", get(line=b"GET /v2/health/live /x HTTP/1.1"), 400, ENDS),
    ("two blanks before it", get(line=b"GET  /v2/health/live HTTP/1.1"), 400, ENDS),
    ("two blanks after it", get(line=b"GET /v2/health/live  HTTP/1.1"), 400, ENDS),
    ("a blank at the end", get(line=b"GET /v2/health/live HTTP/1.1 "), 400, ENDS),
    ("tabs between", get(line=b"GET\t/v2/health/live\tHTTP/1.1"), 400, ENDS),
    ("none", get(line=b"GET HTTP/1.1"), 400, ENDS),
    ("bare LF", b"GET /v2/health/live HTTP/1.1\nHost: localhost\r\n\r\n", 400, ENDS),
    ("folded", get(line=b"GET /v2/health/live HTTP/1.1\r\n X: y"), 400, ENDS),
    ("no request at all", b"GARBAGE\r\n\r\n", 400, ENDS),
    ("no method", b" / HTTP/1.1\r\n\r\n", 400, ENDS),
    ("another protocol", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 50 + b"\r\n", 400, ENDS),
]

VERSIONS = [
    ("0.9", b"GET /v2/health/live\r\n\r\n", 400, ENDS),
    ("HTTP/0.9", get(line=b"GET /v2/health/live HTTP/0.9"), 505, ENDS),
    ("HTTP/1.0", b"GET /v2/health/live HTTP/1.0\r\n\r\n", 200, ENDS),
    ("HTTP/1.0 that stays", b"GET /v2/health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, GOES_ON),
    ("HTTP/1.2", get(line=b"GET /v2/health/live HTTP/1.2"), 200, GOES_ON),
    ("HTTP/1.2 without Host", get(line=b"GET /v2/health/live HTTP/1.2", host=b""), 400, ENDS),
    ("HTTP/2.0", get(line=b"GET /v2/health/live HTTP/2.0"), 505, ENDS),
    ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, ENDS),
    ("HTTP/1", get(line=b"GET /v2/health/live HTTP/1"), 400, ENDS),
    ("HTTP/01.1", get(line=b"GET /v2/health/live HTTP/01.1"), 400, ENDS),
    ("http/1.1", get(line=b"GET /v2/health/live http/1.1"), 400, ENDS),
    ("HTTP/1.1x", get(line=b"GET /v2/health/live HTTP/1.1x"), 400, ENDS),
    ("another protocol", get(line=b"GET /v2/health/live XTTP/1.1"), 400, ENDS),
]

METHODS = [
    ("in small letters", get(line=b"get /v2/health/live HTTP/1.1"), 405, GOES_ON),
    ("unknown", get(line=b"BREW /v2/health/live HTTP/1.1"), 405, GOES_ON),
    ("TRACE", get(line=b"TRACE /v2/health/live HTTP/1.1"), 405, GOES_ON),
    ("very long", get(line=b"A" * 4000 + b" /v2/health/live HTTP/1.1"), 405, GOES_ON),
    ("not a token", get(line=b"G(T /v2/health/live HTTP/1.1"), 400, ENDS),
    ("a control character", get(line=b"GE\x01T /v2/health/live HTTP/1.1"), 400, ENDS),
    ("CONNECT", get(line=b"CONNECT localhost:80 HTTP/1.1"), 405, ENDS),
    ("CONNECT of a path", get(line=b"CONNECT /v2/health/live HTTP/1.1"), 405, ENDS),
    ("OPTIONS", get(line=b"OPTIONS /v1/models HTTP/1.1"), 204, GOES_ON),
]

HEADERS = [
    ("a tab before the value", get(b"X-A:\tb\r\n"), 200, GOES_ON),
    ("blanks around the value", get(b"X-A:  b \t\r\n"), 200, GOES_ON),
    ("no value", get(b"X-A:\r\n"), 200, GOES_ON),
    ("no value but blanks", get(b"X-A:  \r\n"), 200, GOES_ON),
    ("a colon in the value", get(b"X-A: b:c\r\n"), 200, GOES_ON),
    ("bytes beyond ASCII in the value", get(b"X-A: \xc3\xa9\r\n"), 200, GOES_ON),
    ("the same twice", get(b"X-A: b\r\nX-A: c\r\n"), 200, GOES_ON),
    ("an empty line before", b"\r\n" + get(), 200, GOES_ON),
    ("a line that begins with NUL before", b"\0\r\n" + get(), 400, ENDS),
    ("a header behind NUL before", b"\0Content-Length: 5\r\n" + get(), 400, ENDS),
    ("folded", get(b"X-A: b\r\n c\r\n"), 400, ENDS),
    ("folded with a tab", get(b"X-A: b\r\n\tc\r\n"), 400, ENDS),
    ("folded, not the last", get(b"X-A: b\r\n c\r\nX-B: d\r\n"), 400, ENDS),
    ("folded, the first", b"GET /v2/health/live HTTP/1.1\r\nX-A: b\r\n c\r\nHost: localhost\r\n\r\n", 400, ENDS),
    ("folded twice", get(b"X-A: b\r\n c\r\n d\r\n"), 400, ENDS),
    ("folded into nothing", get(b"X-A: b\r\n \r\n"), 400, ENDS),
    ("folded into nothing, not the last", get(b"X-A: b\r\n\t\r\nX-B: c\r\n"), 400, ENDS),
    ("folded after a bare LF", get(b"X-A: b\n c\r\n"), 400, ENDS),
    ("folded before the value", get(b"X-A:\r\n b\r\n"), 400, ENDS),
    ("folded in the name", get(b"X-A\r\n B: c\r\n"), 400, ENDS),
    ("the first line begins with a blank", b"GET /v2/health/live HTTP/1.1\r\n Host: localhost\r\n\r\n", 400, ENDS),
    ("the first line is blank", b"GET /v2/health/live HTTP/1.1\r\n \r\nHost: localhost\r\n\r\n", 400, ENDS),
    ("a folded Host", b"GET /v2/health/live HTTP/1.1\r\nHost:\r\n localhost\r\n\r\n", 400, ENDS),
    ("bare LF", get(b"X-A: b\n"), 400, ENDS),
    ("bare LF, not the last", get(b"X-A: b\nX-B: c\r\n"), 400, ENDS),
    ("bare LF ends the head", b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\n", 400, ENDS),
    ("bare LF everywhere", b"GET /v2/health/live HTTP/1.1\nHost: localhost\n\n", 400, ENDS),
    ("bare CR", get(b"X-A: b\rX-B: c\r\n"), 400, ENDS),
    ("bare CR at the end", get(b"X-A: b\r\r\n"), 400, ENDS),
    ("bare CR ends the head", get(b"\rX-A: b\r\n"), 400, ENDS),
    ("bare CR everywhere", b"GET /v2/health/live HTTP/1.1\rHost: localhost\r\r" + b"\r\n\r\n", 400, ENDS),
    ("NUL in a value", get(b"X-A: b\0c\r\n"), 400, ENDS),
    ("NUL at a value's end", get(b"X-A: b\0\r\n"), 400, ENDS),
    ("NULs like CR LF at a value's end", get(b"X-A: b\0\0\r\n"), 400, ENDS),
    ("NULs like CR LF in a value", get(b"X-A: b\0\0X-B: c\r\n"), 400, ENDS),
    ("NUL before a value", get(b"X-A:\0b\r\n"), 400, ENDS),
    ("NUL in a name", get(b"X\0A: b\r\n"), 400, ENDS),
    ("NUL at a name's end", get(b"X-A\0: b\r\n"), 400, ENDS),
    ("NUL before a name", get(b"\0X-A: b\r\n"), 400, ENDS),
    ("NUL for a line", get(b"\0\r\nX-A: b\r\n"), 400, ENDS),
    ("control character in a value", get(b"X-A: b\x01\r\n"), 400, ENDS),
    ("vertical tab in a value", get(b"X-A: b\x0b\r\n"), 400, ENDS),
    ("DEL in a value", get(b"X-A: b\x7f\r\n"), 400, ENDS),
    ("no name", get(b": b\r\n"), 400, ENDS),
    ("no name, not the last", get(b": b\r\nX-A: c\r\n"), 400, ENDS),
    ("no name and no value", get(b":\r\nX-A: c\r\n"), 400, ENDS),
    ("no name, the first", b"GET /v2/health/live HTTP/1.1\r\n: b\r\nHost: localhost\r\n\r\n", 400, ENDS),
    ("a colon and a bare LF", get(b":\nX-A: c\r\n"), 400, ENDS),
    ("NUL and a bare LF", get(b"\0\nX-A: c\r\n"), 400, ENDS),
    ("NUL and a bare LF after a value", get(b"X-A: b\0\n"), 400, ENDS),
    ("no colon", get(b"X-A\r\n"), 400, ENDS),
    ("a blank before the colon", get(b"X-A : b\r\n"), 400, ENDS),
    ("a tab before the colon", get(b"X-A\t: b\r\n"), 400, ENDS),
    ("a name with brackets", get(b"X[A]: b\r\n"), 400, ENDS),
    ("a name beyond ASCII", get(b"X-\xc3\xa9: b\r\n"), 400, ENDS),
    ("no Host", get(host=b""), 400, ENDS),
    ("two Hosts", get(b"Host: localhost\r\n"), 400, ENDS),
    ("two Hosts in one", get(host=b"Host: localhost, localhost\r\n"), 400, GOES_ON),
    ("an empty Host", get(host=b"Host:\r\n"), 400, GOES_ON),
    ("a Host with a user", get(host=b"Host: user@localhost\r\n"), 400, GOES_ON),
    ("a Host with a path", get(host=b"Host: localhost/x\r\n"), 400, GOES_ON),
    ("a Host with a blank", get(host=b"Host: local host\r\n"), 400, GOES_ON),
    ("two Origins", get(b"Origin: http://localhost\r\nOrigin: http://localhost\r\n"), 400, ENDS),
    ("two Content-Types", post(LENGTH + b"Content-Type: application/json\r\nContent-Type: application/x-npy\r\n"), 400,
     ENDS),
    ("two Content-Encodings", post(LENGTH + b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"), 400, ENDS),
    ("two keys", get(b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n"), 400, ENDS),
]

LENGTHS = [
    ("as it should be", post(LENGTH), 200, GOES_ON),
    ("in small letters", post(LENGTH.lower()), 200, GOES_ON),
    ("with zeros before", post(b"Content-Length: 000%d\r\n" % len(BODY)), 200, GOES_ON),
    ("with blanks around", post(b"Content-Length:   %d \t\r\n" % len(BODY)), 200, GOES_ON),
    ("GET without a body", get(b"Content-Length: 0\r\n"), 200, GOES_ON),
    ("GET with a body", get(b"Content-Length: %d\r\n" % len(BODY)) + BODY, 400, GOES_ON),
    ("OPTIONS with a body", get(b"Content-Length: %d\r\n" % len(BODY), line=b"OPTIONS /v1/normalize HTTP/1.1") + BODY,
     400, GOES_ON),
    ("folded", post(b"Content-Length:\r\n %d\r\n" % len(BODY), DELETE), 400, ENDS),
    ("folded with a tab", post(b"Content-Length:\r\n\t%d\r\n" % len(BODY), DELETE), 400, ENDS),
    ("made by a fold", post(b"Content-Len: %d\r\n gth\r\n" % len(DELETE), DELETE), 400, ENDS),
    ("made by a fold, filled up", post(b"Content-Len:%s%d\r\n gth\r\n" % (b" " * 40, len(DELETE)), DELETE), 400, ENDS),
    ("cut by NUL", post(b"Content-Length: %d\x0099\r\n" % len(BODY)), 400, ENDS),
    ("behind a line without a name", post(b": x\r\n" + LENGTH), 400, ENDS),
    ("behind a line that begins with NUL", post(b"\0\r\n" + LENGTH), 400, ENDS),
    ("twice", post(LENGTH + LENGTH), 400, ENDS),
    ("twice and different", post(LENGTH + b"Content-Length: 5\r\n"), 400, ENDS),
    ("a blank before the colon", post(b"Content-Length : %d\r\n" % len(BODY)), 400, ENDS),
    ("negative", post(b"Content-Length: -5\r\n"), 400, ENDS),
    ("hexadecimal", post(b"Content-Length: 0x39\r\n"), 400, ENDS),
    ("a plus sign", post(b"Content-Length: +%d\r\n" % len(BODY)), 400, ENDS),
    ("a list", post(b"Content-Length: %d, %d\r\n" % (len(BODY), len(BODY))), 400, ENDS),
    ("a blank in it", post(b"Content-Length: 5 7\r\n"), 400, ENDS),
    ("a fraction", post(b"Content-Length: 57.0\r\n"), 400, ENDS),
    ("an underscore", post(b"Content-Length: 5_7\r\n"), 400, ENDS),
    ("empty", post(b"Content-Length:\r\n"), 400, ENDS),
    ("words", post(b"Content-Length: ten\r\n"), 400, ENDS),
    ("2^64", post(b"Content-Length: 18446744073709551616\r\n"), 413, ENDS),
    ("2^64 + its length", post(b"Content-Length: %d\r\n" % (2**64 + len(BODY))), 413, ENDS),
    ("thirty zeros before", post(b"Content-Length: " + b"0" * 30 + b"%d\r\n" % len(BODY)), 200, GOES_ON),
    ("more than any body, blanks after", post(b"Content-Length: 999999999999 \t\r\n"), 413, ENDS),
    ("forty nines", post(b"Content-Length: " + b"9" * 40 + b"\r\n"), 413, ENDS),
]

ENCODINGS = [
    ("as it should be", chunked(HEX), 200, GOES_ON),
    ("in capitals", chunked(HEX, b"TRANSFER-ENCODING: CHUNKED\r\n"), 200, GOES_ON),
    ("a tab before", chunked(HEX, b"Transfer-Encoding:\tchunked\r\n"), 200, GOES_ON),
    ("a blank after", chunked(HEX, b"Transfer-Encoding: chunked \r\n"), 200, GOES_ON),
    ("a tab after", chunked(HEX, b"Transfer-Encoding: chunked\t\r\n"), 200, GOES_ON),
    ("on GET", get(CHUNKED) + b"0\r\n\r\n", 200, GOES_ON),
    ("identity", post(b"Transfer-Encoding: identity\r\n"), 400, ENDS),
    ("identity and a length", post(b"Transfer-Encoding: identity\r\n" + LENGTH), 400, ENDS),
    ("gzip", post(b"Transfer-Encoding: gzip\r\n"), 400, ENDS),
    ("gzip, chunked", chunked(HEX, b"Transfer-Encoding: gzip, chunked\r\n"), 400, ENDS),
    ("chunked, gzip", chunked(HEX, b"Transfer-Encoding: chunked, gzip\r\n"), 400, ENDS),
    ("chunked, chunked", chunked(HEX, b"Transfer-Encoding: chunked, chunked\r\n"), 400, ENDS),
    ("chunked twice", chunked(HEX, CHUNKED + CHUNKED), 400, ENDS),
    ("chunked and identity", chunked(HEX, CHUNKED + b"Transfer-Encoding: identity\r\n"), 400, ENDS),
    ("identity and chunked", chunked(HEX, b"Transfer-Encoding: identity\r\n" + CHUNKED), 400, ENDS),
    ("empty", chunked(HEX, b"Transfer-Encoding:\r\n"), 400, ENDS),
    ("a comma before", chunked(HEX, b"Transfer-Encoding: , chunked\r\n"), 400, ENDS),
    ("a comma after", chunked(HEX, b"Transfer-Encoding: chunked,\r\n"), 400, ENDS),
    ("a parameter", chunked(HEX, b"Transfer-Encoding: chunked;a=b\r\n"), 400, ENDS),
    ("quoted", chunked(HEX, b'Transfer-Encoding: "chunked"\r\n'), 400, ENDS),
    ("xchunked", chunked(HEX, b"Transfer-Encoding: xchunked\r\n"), 400, ENDS),
    ("a vertical tab before", chunked(HEX, b"Transfer-Encoding: \x0bchunked\r\n"), 400, ENDS),
    ("a form feed after", chunked(HEX, b"Transfer-Encoding: chunked\x0c\r\n"), 400, ENDS),
    ("NUL after", chunked(HEX, b"Transfer-Encoding: chunked\0\r\n"), 400, ENDS),
    ("NUL and more after", chunked(HEX, b"Transfer-Encoding: chunked\0, identity\r\n"), 400, ENDS),
    ("folded", chunked(HEX, b"Transfer-Encoding:\r\n chunked\r\n"), 400, ENDS),
    ("folded after", chunked(HEX, b"Transfer-Encoding: chunked\r\n , identity\r\n"), 400, ENDS),
    ("made by a fold", chunked(HEX, b"Transfer-Enc: chunked\r\n oding\r\n"), 400, ENDS),
    ("a blank before the colon", chunked(HEX, b"Transfer-Encoding : chunked\r\n"), 400, ENDS),
    ("with a length", chunked(HEX, CHUNKED + LENGTH), 400, ENDS),
    ("with a length before it", chunked(HEX, LENGTH + CHUNKED), 400, ENDS),
    ("with a length of 0", chunked(HEX, b"Content-Length: 0\r\n" + CHUNKED), 400, ENDS),
    ("on HTTP/1.0", post(CHUNKED, chunks((HEX, BODY)), b"POST /v1/normalize HTTP/1.0"), 400, ENDS),
]

CHUNKS = [
    ("in two", post(CHUNKED, chunks((b"5", BODY[:5]), (b"%x" % (len(BODY) - 5), BODY[5:]))), 200, GOES_ON),
    ("capitals", chunked(HEX.upper()), 200, GOES_ON),
    ("zeros before", chunked(b"000" + HEX), 200, GOES_ON),
    ("an extension", chunked(HEX + b";name=value"), 200, GOES_ON),
    ("a trailer", chunked(HEX, end=b"0\r\nX-A: b\r\n\r\n"), 200, GOES_ON),
    ("a trailer that names a length", chunked(HEX, end=b"0\r\nContent-Length: 5\r\n\r\n"), 200, GOES_ON),
    ("an extension in quotes", chunked(HEX + b';name="a;b"'), 200, GOES_ON),
    ("an extension after a blank", chunked(HEX + b"; name"), 200, GOES_ON),
    ("an empty extension", chunked(HEX + b";"), 400, ENDS),
    ("a bare CR in an extension", chunked(HEX + b";a\rb"), 400, ENDS),
    ("NUL in an extension", chunked(HEX + b";a\0b"), 400, ENDS),
    ("a bare LF in an extension", post(CHUNKED, HEX + b";a\n" + BODY + b"\r\n0\r\n\r\n"), 400, ENDS),
    ("a bare LF after a size", post(CHUNKED, HEX + b"\n" + BODY + b"\r\n0\r\n\r\n"), 400, ENDS),
    ("a bare LF after the data", post(CHUNKED, HEX + b"\r\n" + BODY + b"\n0\r\n\r\n"), 400, ENDS),
    ("a bare LF after the last size", chunked(HEX, end=b"0\n\r\n"), 400, ENDS),
    ("a bare LF ends it", chunked(HEX, end=b"0\r\n\n"), 400, ENDS),
    ("a folded trailer", chunked(HEX, end=b"0\r\nX-A: b\r\n c\r\n\r\n"), 400, ENDS),
    ("a bare LF after a trailer", chunked(HEX, end=b"0\r\nX-A: b\n\r\n"), 400, ENDS),
    ("NUL in a trailer", chunked(HEX, end=b"0\r\nX-A: b\0\r\n\r\n"), 400, ENDS),
    ("a trailer without a name", chunked(HEX, end=b"0\r\n: b\r\n\r\n"), 400, ENDS),
    ("a trailer that begins with NUL", chunked(HEX, end=b"0\r\n\0\r\n"), 400, ENDS),
    ("a trailer whose name is not a token", chunked(HEX, end=b'0\r\n{"a": 1}\r\n\r\n'), 400, ENDS),
    ("a trailer with a long name", chunked(HEX, end=b"0\r\n" + b"a" * 200 + b": b\r\n\r\n"), 200, GOES_ON),
    ("a trailer without a colon", chunked(HEX, end=b"0\r\nX-A\r\n\r\n"), 400, ENDS),
    ("a blank before a trailer's colon", chunked(HEX, end=b"0\r\nX-A : b\r\n\r\n"), 400, ENDS),
    ("an extension of 30 kB", chunked(HEX + b";" + b"a" * 30000), 431, ENDS),
    ("an extension of 30 kB at the end", chunked(HEX, end=b"0;" + b"a" * 30000 + b"\r\n\r\n"), 431, ENDS),
    ("negative", chunked(b"-" + HEX), 400, ENDS),
    ("a plus sign", chunked(b"+" + HEX), 400, ENDS),
    ("0x", chunked(b"0x" + HEX), 400, ENDS),
    ("an underscore", chunked(b"3_9"), 400, ENDS),
    ("a blank before", chunked(b" " + HEX), 400, ENDS),
    ("a blank after", chunked(HEX + b" "), 400, ENDS),
    ("a tab after", chunked(HEX + b"\t"), 400, ENDS),
    ("none", chunked(b""), 400, ENDS),
    ("an extension alone", chunked(b";a=b"), 400, ENDS),
    ("no number", chunked(b"xyz"), 400, ENDS),
    ("17 digits", chunked(b"1" + b"0" * 16), 400, ENDS),
    ("2^64 + its size", chunked(b"1" + b"%016x" % len(BODY)), 400, ENDS),
    ("too small", chunked(b"5"), 400, ENDS),
    ("no CR LF after the data", post(CHUNKED, HEX + b"\r\n" + BODY + b"0\r\n\r\n"), 400, ENDS),
    ("CR alone after the size", chunked(HEX + b"\rX"), 400, ENDS),
]

REFUSED = [row for table in (TARGETS, VERSIONS, HEADERS, LENGTHS, ENCODINGS, CHUNKS) for row in table
           if row[3] == ENDS and row[2] in (400, 505)]

EXPECT = b"Expect: 100-continue\r\n"
# (what it is, the head, whether the client is told to go on, the status where it is not)
EXPECTATIONS = [
    ("a length", post(LENGTH + EXPECT, b""), True, None),
    ("chunks", post(CHUNKED + EXPECT, b""), True, None),
    ("in capitals, with blanks", post(CHUNKED + b"EXPECT: 100-CONTINUE \r\n", b""), True, None),
    ("another method without a body", get(EXPECT), False, 200),
    ("no length", post(EXPECT, b""), False, 400),
    ("a length of 0", post(b"Content-Length: 0\r\n" + EXPECT, b""), False, 400),
    ("no route, a length", post(LENGTH + EXPECT, b"", b"POST /v1/none HTTP/1.1"), False, 404),
    ("no route, chunks", post(CHUNKED + EXPECT, b"", b"POST /v1/none HTTP/1.1"), False, 404),
    ("no route, no body", post(EXPECT, b"", b"POST /v1/none HTTP/1.1"), False, 404),
    ("a malformed header", post(LENGTH + EXPECT + b"X-A : b\r\n", b""), False, 400),
]


def answers(raw):
    """Each answer in what a server sent: (status, whole), and what is left over."""
    found = []
    while raw.startswith(b"HTTP/"):
        head, blank, rest = raw.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1])
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        n = int(length[1]) if length else 0
        found.append((status, blank != b"" and len(rest) >= n and (length is not None or status in (100, 204))))
        raw = rest[n:]
    return [one for one in found if one[0] != 100], raw


class Framing(DaemonTest):
    def setUp(self):
        self.daemon.curl("PUT", "/v1/models/victim/layers/bn", {"kind": "batch_norm"})

    def exchange(self, data, piece=None):
        """What comes back for the bytes, until the connection ends or is quiet; and whether it has ended. They are
        sent at once, or piece by piece until something comes back."""
        with self.daemon.connect(timeout=10 * PATIENCE) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(data), piece or len(data)):
                if select.select([s], [], [], 0)[0]:
                    break
                s.sendall(data[at:at + (piece or len(data))])
            answer = b""
            s.settimeout(0.3 * PATIENCE)
            try:
                while piece := s.recv(65536):
                    answer += piece
                return answer, True
            except socket.timeout:
                return answer, False

    def row(self, data, status, ends):
        """One whole answer; if the connection then ends, nothing after it is read as a request."""
        raw, ended = self.exchange(data)
        found, rest = answers(raw)
        self.assertEqual((found, rest), ([(status, True)], b""), raw)
        self.assertEqual(ended, ends, raw)
        if status >= 400:
            self.assertRegex(raw, rb"(?i)content-type: application/problem\+json")
        if not ended:
            return
        raw, ended = self.exchange(data + DELETE)
        self.assertEqual((len(answers(raw)[0]), ended), (len(found), True), raw)
        self.assertEqual(self.daemon.curl("GET", "/v1/models/victim").status, 200)

    def rows(self, table):
        for what, data, status, ends in table:
            with self.subTest(what):
                self.row(data, status, ends)

    def test_targets(self):
        self.rows(TARGETS)

    def test_versions(self):
        self.rows(VERSIONS)

    def test_methods(self):
        self.rows(METHODS)

    def test_headers(self):
        self.rows(HEADERS)

    def test_lengths(self):
        self.rows(LENGTHS)

    def test_encodings(self):
        self.rows(ENCODINGS)

    def test_chunks(self):
        self.rows(CHUNKS)

    def test_behind_another_request(self):
        """The one in front is answered, and then the fault."""
        for what, data, status, _ in REFUSED:
            for front, answer in ((get(), 200), (post(LENGTH), 200), (chunked(HEX), 200)):
                with self.subTest(what):
                    raw, ended = self.exchange(front + data)
                    self.assertEqual((answers(raw), ended), (([(answer, True), (status, True)], b""), True), raw)

    def test_byte_by_byte(self):
        """Whatever libmicrohttpd has already of a request with a fault."""
        for what, data, status, _ in REFUSED:
            if len(data) < 1000:
                with self.subTest(what):
                    raw, ended = self.exchange(data, 1)
                    self.assertEqual((answers(raw), ended), (([(status, True)], b""), True), raw)

    def test_head(self):
        """No body comes with the refusal."""
        raw, ended = self.exchange(get(b"X-A : b\r\n", line=b"HEAD /v2/health/live HTTP/1.1"))
        self.assertRegex(raw, rb"(?s)\AHTTP/1.1 400 .*\r\nContent-Length: [1-9][0-9]*\r\n(.*\r\n)?\r\n\Z")
        self.assertTrue(ended)

    def test_expectations(self):
        """A client that holds its body back is told to go on, or is refused. One without a body gets the answer,
        and so does the request after it."""
        for what, head, goes_on, status in EXPECTATIONS:
            with self.subTest(what):
                raw, ended = self.exchange(head)
                self.assertEqual(raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"), goes_on, raw)
                self.assertEqual([one[0] for one in answers(raw)[0]], [] if goes_on else [status], raw)
                if not goes_on and not ended:
                    raw, _ = self.exchange(head + get())
                    self.assertEqual(answers(raw), ([(status, True), (200, True)], b""), raw)


if __name__ == "__main__":
    unittest.main()
