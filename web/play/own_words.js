// SPDX-License-Identifier: MIT
// The words of "Your data": what its parts are called, and what is wrong with data (broken.js).

import { words } from "../shared/words.js";

export const say = words({
	en: {
		lead: "Compare data of yours with what a layer of this daemon was trained on, and normalize it.",
		layer: "1. Choose a layer", data: "2. Give data", ask: "3. Ask",
		model: "Model", find: "Find a layer", layers: "Layers", found: "{n} of {all} layers are shown: type to find others.",
		"no models": "This daemon has no models yet. This command makes a layer; train it, and come back.",
		"no layer": "Choose a layer first.", untracked: "This layer keeps no running statistics: there is nothing to" +
			" report, but it can infer.",
		paste: "Paste JSON, or cells of a table", use: "Use this text", choose: "Or choose a file: .npy, CSV or JSON",
		drop: "A file can be dropped here, too.", reading: "Reading {name}…", sending: "Sending…", waiting: "Waiting…",
		cancel: "Cancel", cancelled: "Cancelled. Nothing has been changed.",
		given: "{name}: shape ({shape}), {size}.", "given unread": "{name}, {size}. The daemon reads it.",
		missing: "Missing values: {list}. A report counts them; infer refuses them.", "left out": "Left out, as words: {list}.",
		report: "Report", "report says": "A report changes nothing.",
		infer: "Infer", "infer says": "Infer adds these values to the layer's window of inference, which drift is" +
			" measured by. Ask for a report first.",
		"report title": "Report", verdict: "Verdict", values: "{n} values per feature.",
		"too few": "A verdict needs at least 100 values per feature.",
		"not finite": "Not finite: {nan} NaNs, {infinite} infinities.",
		features: "The worst features", feature: "feature", shift: "mean shift", ratio: "variance ratio",
		divergence: "divergence", nan: "NaN", infinite: "infinite", min: "min", max: "max", beyond: "beyond 3 deviations",
		none: "no drift", possible: "possible drift", drift: "drift", too_few: "too few values", constant: "constant",
		"infer title": "Normalized", before: "Before", after: "After", rows: "The first rows", row: "row",
		sample: "{n} values spread over all of them are drawn.", undrawn: "The page does not draw numbers of this type.",
		calls: "The same with curl", save: "Save the file that is sent", where: "Line {line}, column {column}:",
		empty: "There is nothing in it.", directory: "This is a folder. Choose a file.", several: "One file at a time.",
		unreadable: "The browser cannot read this file.", image: "This is a picture, not numbers.",
		npz: "This is an archive, as .npz files are. Save one array with numpy.save: a .npy file.",
		binary: "This is not text, and not a .npy file.", "too large":
			"It would be {size}; this daemon takes at most {limit} in a request (--max-body). Nothing has been sent.",
		cut: "The daemon ended the upload early, or is away. It does so with bodies larger than it takes (--max-body).",
		ends: "The text ends too early: a bracket or quote is not closed.",
		value: "A number or a list is expected here, not “{found}”.",
		separator: "A comma or the closing bracket is expected here, not “{found}”.",
		name: "The name of a member, in quotes, is expected here, not “{found}”.",
		after: "The list is complete before this “{found}”.", deep: "The lists are nested too deeply.",
		"no list": "A list of numbers is expected, or an object with the member “data”.",
		"no number": "Entry {row} of this list is no number.",
		ragged: "Row {row} has {has} entries; the rows before it have {needs}.",
		mixed: "Row {row} is nested differently from the rows before it.",
		"no numbers": "Line {line} has no numbers.", "no rows": "There are no rows of numbers.",
		"ragged line": "Line {line} has {has} cells; the lines before it have {needs}.",
		comma: "Line {line}, column {column}: “{cell}” has a decimal comma. Write decimal points.",
		"no number there": "Line {line}, column {column}: “{cell}” is no number.",
		"long line": "Line {line} is too long for a table.",
		npy: "The header of this .npy file is damaged.",
		"npy type": "The numbers of this file are “{type}”. normd takes f2, f4 and f8: array.astype('float32').",
	},
	ko: {
		lead: "내 데이터를 이 데몬의 층이 학습한 데이터와 비교하고, 정규화해 봅니다.",
		layer: "1. 층 고르기", data: "2. 데이터 넣기", ask: "3. 요청하기",
		model: "모델", find: "층 찾기", layers: "층", found: "층 {all}개 중 {n}개를 보여 줍니다. 이름을 입력해 찾으세요.",
		"no models": "이 데몬에는 아직 모델이 없습니다. 다음 명령으로 층을 만들고, 학습시킨 뒤 다시 오세요.",
		"no layer": "먼저 층을 고르세요.", untracked: "이 층에는 이동 통계량이 없어서 보고서를 만들 수 없지만 추론은 할 수 있습니다.",
		paste: "JSON이나 표의 칸을 붙여 넣으세요", use: "이 텍스트 사용", choose: "또는 파일 고르기: .npy, CSV, JSON",
		drop: "파일을 여기에 끌어다 놓아도 됩니다.", reading: "{name} 읽는 중…", sending: "보내는 중…", waiting: "기다리는 중…",
		cancel: "취소", cancelled: "취소했습니다. 바뀐 것은 없습니다.",
		given: "{name}: 모양 ({shape}), {size}.", "given unread": "{name}, {size}. 데몬이 읽습니다.",
		missing: "빠진 값: {list}. 보고서는 개수를 세고, 추론은 거절합니다.", "left out": "숫자가 아니어서 뺀 열: {list}.",
		report: "보고서", "report says": "보고서는 아무것도 바꾸지 않습니다.",
		infer: "추론", "infer says": "추론하면 이 값들이 층의 추론 구간에 더해지고, 드리프트는 그 구간으로 잽니다. 먼저 보고서를 받으세요.",
		"report title": "보고서", verdict: "판정", values: "특징마다 값 {n}개.", "too few": "판정하려면 특징마다 값이 100개 이상 필요합니다.",
		"not finite": "유한하지 않은 값: NaN {nan}개, 무한대 {infinite}개.",
		features: "가장 많이 달라진 특징", feature: "특징", shift: "평균 이동", ratio: "분산 비", divergence: "발산",
		nan: "NaN", infinite: "무한대", min: "최솟값", max: "최댓값", beyond: "표준편차 3배 밖",
		none: "드리프트 없음", possible: "드리프트 의심", drift: "드리프트", too_few: "값 부족", constant: "상수",
		"infer title": "정규화한 결과", before: "정규화 전", after: "정규화 후", rows: "처음 몇 행", row: "행",
		sample: "전체에서 고르게 뽑은 값 {n}개를 그렸습니다.", undrawn: "이 형식의 숫자는 그리지 않습니다.",
		calls: "curl로 똑같이 하기", save: "보내는 파일 저장", where: "{line}번째 줄 {column}번째 글자:",
		empty: "내용이 없습니다.", directory: "폴더입니다. 파일을 고르세요.", several: "파일은 한 번에 하나만 됩니다.",
		unreadable: "브라우저가 이 파일을 읽을 수 없습니다.", image: "숫자가 아니라 그림 파일입니다.",
		npz: ".npz 같은 압축 파일입니다. numpy.save로 배열 하나를 .npy 파일에 저장하세요.",
		binary: "텍스트도 .npy 파일도 아닙니다.",
		"too large": "크기가 {size}인데 이 데몬은 한 요청에 {limit}까지만 받습니다(--max-body). 보낸 것은 없습니다.",
		cut: "데몬이 업로드를 도중에 끝냈거나 연결되지 않습니다. 본문이 한도(--max-body)보다 크면 그렇게 합니다.",
		ends: "텍스트가 도중에 끝났습니다. 닫히지 않은 괄호나 따옴표가 있습니다.",
		value: "여기에는 숫자나 목록이 와야 하는데 “{found}”입니다.",
		separator: "여기에는 쉼표나 닫는 괄호가 와야 하는데 “{found}”입니다.",
		name: "여기에는 따옴표로 묶은 이름이 와야 하는데 “{found}”입니다.",
		after: "목록이 끝난 뒤에 “{found}”가 더 있습니다.", deep: "목록이 너무 깊이 겹쳐 있습니다.",
		"no list": "숫자 목록이나, “data”가 있는 객체여야 합니다.", "no number": "이 목록의 {row}번째 항목은 숫자가 아닙니다.",
		ragged: "{row}번째 행은 항목이 {has}개인데 앞의 행들은 {needs}개입니다.",
		mixed: "{row}번째 행은 앞의 행들과 다르게 겹쳐 있습니다.",
		"no numbers": "{line}번째 줄에 숫자가 없습니다.", "no rows": "숫자로 된 행이 없습니다.",
		"ragged line": "{line}번째 줄은 칸이 {has}개인데 앞의 줄들은 {needs}개입니다.",
		comma: "{line}번째 줄 {column}번째 칸: “{cell}”에 소수점 대신 쉼표가 있습니다. 소수점으로 쓰세요.",
		"no number there": "{line}번째 줄 {column}번째 칸: “{cell}”은(는) 숫자가 아닙니다.",
		"long line": "{line}번째 줄이 표라기에는 너무 깁니다.", npy: ".npy 파일의 헤더가 손상되었습니다.",
		"npy type": "이 파일의 숫자는 “{type}” 형식입니다. normd는 f2, f4, f8을 받습니다: array.astype('float32').",
	},
});

const UNITS = ["B", "KiB", "MiB", "GiB"];

/** A number of bytes to read. */
export function sizeOf(bytes) {
	let size = bytes, unit = 0;
	for (; size >= 1024 && unit < UNITS.length - 1; unit++)
		size /= 1024;
	return `${Number(size.toPrecision(3))} ${UNITS[unit]}`;
}
