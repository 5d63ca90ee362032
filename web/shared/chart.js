// SPDX-License-Identifier: MIT
// Lines over one axis, drawn by uPlot. A canvas is mute: so the chart can be focused, arrow keys move a cursor, a live
// region says what is there, and the same numbers are in a table below. uPlot is loaded with the first chart.

import { Away } from "./api.js";
import { el, fill, newId, svg } from "./dom.js";
import { moment, short, whole } from "./number.js";
import { words } from "./words.js";

const say = words({
	en: {
		keys: "Left and right arrow keys, Page Up, Page Down, Home and End move the cursor.",
		table: "The chart as a table",
	},
	ko: {
		keys: "왼쪽·오른쪽 화살표, Page Up, Page Down, Home, End 키로 커서를 옮깁니다.",
		table: "차트를 표로 보기",
	},
});

const PAGE = 10;
let library = null;

/** The minified uPlot is a classic script: a module would be twice its size. */
function load() {
	const src = new URL("../vendor/uPlot.iife.min.js", import.meta.url);
	library ??= new Promise((resolve, reject) => {
		const onload = () => resolve(globalThis.uPlot);
		const onerror = () => {
			library = null; // the next chart asks again
			reject(new Away("the daemon cannot be reached"));
		};
		document.head.append(el("script", { src, onload, onerror }));
	});
	return library;
}

/** The value of a custom property, now: a theme changes it. */
function css(name) {
	return getComputedStyle(document.documentElement).getPropertyValue(name);
}

function axis(label, write = x => short(x)) {
	const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
	const font = `${rem * 0.75}px system-ui, sans-serif`, lines = { stroke: () => css("--line"), width: 1 };
	return { label, font, labelFont: font, labelSize: rem * 1.25, gap: 4, size: rem * (label ? 2 : 3.5),
		stroke: () => css("--quiet"), grid: lines, ticks: lines,
		values: (plot, marks, i, space, step) => marks.map(x => write(x, step)) };
}

/** Of one x alone, with some room around it. */
function room(low, high) {
	return high > low ? [low, high] : [low - 1, high + 1];
}

function line({ color, dash, width = 2, dots = false }) {
	const stroke = () => css(color);
	const points = { show: (plot, i) => dots || isSparse(plot.data[i]), size: 5, stroke, fill: stroke };
	return { stroke, dash, width, points, ...dots && { paths: () => null } };
}

/** Whether a line has so few values that they must be seen as dots: one alone has no length. */
function isSparse(values) {
	return values.filter(value => value !== null && value !== undefined).length < 3;
}

/** How a line looks, for the legend. */
export function sample({ color, dash = [], width = 2, dots = false }) {
	const stroke = { stroke: "currentColor", "stroke-width": width, "stroke-dasharray": dash.join(" ") || null };
	const style = { color: `var(${color})` };
	return svg("svg", { class: "sample", viewBox: "0 0 36 10", "aria-hidden": "true", style },
		dots ? [6, 18, 30].map(cx => svg("circle", { cx, cy: 5, r: 2.5, fill: "currentColor" })) :
			svg("path", { d: "M0 5H36", ...stroke }));
}

/** A time in the form that the steps of an axis ask for, or an x that is no time. */
function sayX({ time }, x, step) {
	return time ? moment(x, step) : Number.isInteger(x) ? whole(x) : short(x, 5);
}

function table(shown) {
	const { name, xName, x, series } = shown;
	const head = [xName, ...series.map(one => one.name)];
	const row = (at, i) => [sayX(shown, at), ...series.map(({ values }) => short(values[i], 5))].map(text =>
		el("td", { class: "number" }, text));
	return el("table", {}, el("caption", { class: "quiet" }, name),
		el("thead", {}, el("tr", {}, head.map(text => el("th", { scope: "col", class: "number" }, text)))),
		el("tbody", {}, Array.from(x, (at, i) => el("tr", {}, row(at, i)))));
}

/**
 * A chart. `show({ name, xName, x, time, series, range })` draws it. `x` is in order; with `time`, it is seconds since
 * 1970. A series has a `name`, `values` (null: a gap), a `color` (a custom property as "--hue-0"), and `dash`, `width`
 * or `dots`, so that colour is not the only sign. `range`: that of the axis, else that of `x`. `stop()` ends it.
 */
export function chart() {
	const title = el("h3", { id: newId("chart") }), legend = el("ul", { class: "legend" });
	const place = el("div", { class: "plot" }), told = el("p", { class: "quiet", role: "status" });
	const help = el("span", { id: newId("keys"), hidden: true }, say("keys"));
	const root = el("div", { class: "canvas", tabindex: 0, role: "group", "aria-labelledby": title.id,
		"aria-describedby": help.id, onkeydown: steer }, place);
	const inside = el("div", { class: "scroll tall", tabindex: 0, role: "group", "aria-label": say("table") });
	const details = el("details", { ontoggle: () => showTable() }, el("summary", {}, say("table")), inside);
	const element = el("figure", { class: "chart", "aria-labelledby": title.id },
		title, legend, root, help, told, details);
	const sizes = new ResizeObserver(() => plot?.setSize(size()));
	let shown = null, plot = null, look = "", at = null, outputs = [], stopped = false;

	function size() {
		return { width: Math.max(200, place.clientWidth), height: Math.max(120, place.clientHeight) };
	}

	function options() {
		return { ...size(), legend: { show: false }, cursor: { y: false, drag: { x: false, y: false } },
			tzDate: at => globalThis.uPlot.tzDate(new Date(at * 1000), "UTC"),
			scales: { x: { time: shown.time ?? false,
				range: (own, low, high) => shown.range ?? room(low, high) } },
			axes: [axis(shown.xName, (x, step) => sayX(shown, x, step)), axis()],
			series: [{}, ...shown.series.map(line)],
			hooks: { setCursor: [({ cursor }) => showValues(cursor.idx)] } };
	}

	/** Values where the cursor is; without one, the last. */
	function showValues(i) {
		at = i ?? null;
		outputs.forEach((output, k) => { output.value = short(shown.series[k].values.at(at ?? -1)); });
	}

	function steer(event) {
		const last = shown.x.length - 1, here = at ?? last;
		const to = { ArrowLeft: here - 1, ArrowRight: here + 1, PageUp: here - PAGE, PageDown: here + PAGE,
			Home: 0, End: last }[event.key];
		if (to === undefined || plot === null || last < 0)
			return;
		event.preventDefault();
		const i = Math.min(last, Math.max(0, to));
		plot.setCursor({ left: plot.valToPos(shown.x[i], "x"), top: 0 });
		showValues(i);
		fill(told, `${shown.xName} ${sayX(shown, shown.x[i])}: ` +
			shown.series.map(({ name, values }) => `${name} ${short(values[i])}`).join(", "));
	}

	function showTable() {
		if (details.open && shown !== null)
			fill(inside, table(shown));
	}

	/** A legend and a plot for series that look so; what only has other values keeps them. */
	function build(uPlot) {
		plot?.destroy();
		plot = new uPlot(options(), [shown.x, ...shown.series.map(({ values }) => values)], place);
		sizes.observe(place);
	}

	function buildLegend() {
		outputs = shown.series.map(() => el("output"));
		fill(legend, shown.series.map((one, k) => el("li", {}, sample(one), ` ${one.name} `, outputs[k])));
	}

	async function draw() {
		const lines = shown.series.map(({ values, ...rest }) => rest);
		const looks = JSON.stringify([shown.xName, shown.time, lines]);
		if (look !== looks)
			buildLegend();
		const uPlot = await load();
		if (stopped)
			return;
		if (plot === null || look !== looks)
			build(uPlot);
		else
			plot.setData([shown.x, ...shown.series.map(({ values }) => values)]);
		look = looks;
		showValues(at !== null && at < shown.x.length ? at : null);
	}

	const repaint = () => plot?.redraw(false);
	document.addEventListener("themechange", repaint);
	element.show = next => {
		shown = next;
		fill(title, next.name);
		showTable();
		return draw();
	};
	element.stop = () => {
		stopped = true;
		sizes.disconnect();
		document.removeEventListener("themechange", repaint);
		plot?.destroy();
	};
	return element;
}
