// SPDX-License-Identifier: MIT
// Makes elements. Texts stay texts: nothing here, and nothing else in these pages, parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element. `props` are attributes; null, undefined and false are left out, true is an attribute without a
 * value. `onclick` and the like are listeners, `style` is an object of CSS properties (a style attribute would break
 * the content security policy). Children are nodes, texts and numbers, in any nesting; null and false are left out.
 */
export function el(name, props = {}, ...children) {
	return build(document.createElement(name), props, children);
}

/** The same for SVG. */
export function svg(name, props = {}, ...children) {
	return build(document.createElementNS(SVG, name), props, children);
}

/** Replaces all children of a node. Returns the node. */
export function fill(node, ...children) {
	node.replaceChildren(...children.flat(Infinity).filter(isShown));
	return node;
}

/**
 * The same as fill(), but children that are as they were stay: what somebody has selected in them stays selected. It is
 * for what has no listeners.
 */
export function renew(node, ...children) {
	const wanted = Array.from(el("div", {}, children).childNodes);

	wanted.forEach((child, i) => {
		const old = node.childNodes[i];
		if (old === undefined)
			node.append(child);
		else if (!old.isEqualNode(child))
			old.replaceWith(child);
	});
	while (node.childNodes.length > wanted.length)
		node.lastChild.remove();
	return node;
}

function build(node, props, children) {
	for (const [key, value] of Object.entries(props)) {
		if (value === null || value === undefined || value === false)
			continue;
		if (key.startsWith("on"))
			node.addEventListener(key.slice(2), value);
		else if (key === "style")
			for (const [property, text] of Object.entries(value))
				node.style.setProperty(property, text);
		else
			node.setAttribute(key, value === true ? "" : value);
	}
	node.append(...children.flat(Infinity).filter(isShown));
	return node;
}

function isShown(child) {
	return child !== null && child !== undefined && child !== false;
}

let ids = 0;

/** An id that no other element has, for labels and descriptions. */
export function newId(word) {
	return `${word}-${++ids}`;
}
