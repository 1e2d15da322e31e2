"use strict";
/* Zoom, search and details of a flame graph. Each g.f is a call: data-x and data-w its place in the whole (0 to 1),
 * data-n its name, data-i its details, y of its box its depth. Nothing is loaded from anywhere. */
(function () {
	var svg = document.querySelector("svg.flame"), W = 1200, CHAR = 7.2;
	var calls = Array.prototype.map.call(svg.querySelectorAll("g.f"), function (g) {
		var box = g.querySelector("rect");
		return {
			g: g, box: box, text: g.querySelector("text"), x: +g.dataset.x, w: +g.dataset.w,
			y: +box.getAttribute("y"), name: g.dataset.n, fill: box.getAttribute("fill")
		};
	});
	var details = svg.querySelector(".details"), found = svg.querySelector(".found"), rest = details.textContent;
	var field = document.querySelector("input.search"), clear = svg.querySelector(".clear");

	function fit(name, width) {
		var room = Math.floor((width - 6) / CHAR);
		return room < 3 ? "" : name.length <= room ? name : name.slice(0, room - 1) + "\u2026";
	}
	function zoom(to) {
		calls.forEach(function (c) {
			var above = c.y < to.y && c.x <= to.x + 1e-9 && c.x + c.w >= to.x + to.w - 1e-9;
			var inside = c.y >= to.y && c.x >= to.x - 1e-9 && c.x + c.w <= to.x + to.w + 1e-9;
			var x = above ? 0 : (c.x - to.x) / to.w * W, w = above ? W : c.w / to.w * W;
			c.g.style.display = (above || inside) && w > 0.2 ? "" : "none";
			c.g.style.opacity = above ? 0.5 : 1;
			c.box.setAttribute("x", x);
			c.box.setAttribute("width", Math.max(w - 0.5, 0.2));
			c.text.setAttribute("x", x + 3);
			c.text.textContent = fit(c.name, w);
		});
		clear.style.display = to.w < 1 ? "" : "none";
	}
	function search(text) {
		var hits = [], sum = 0, test;
		try {
			test = new RegExp(text, "i");
		} catch (e) {
			test = { test: function (name) { return name.indexOf(text) >= 0; } };
		}
		calls.forEach(function (c) {
			var hit = text !== "" && test.test(c.name);
			c.box.setAttribute("fill", hit ? "#c050f0" : c.fill);
			if (hit)
				hits.push(c);
		});
		/* A hit below another is counted with it. */
		hits.sort(function (a, b) { return a.x - b.x || b.w - a.w; });
		hits.reduce(function (end, c) {
			if (c.x < end - 1e-9)
				return end;
			sum += c.w;
			return c.x + c.w;
		}, 0);
		found.textContent = text === "" ? "" : hits.length ? "found: " + (sum * 100).toFixed(1) + " %" : "not found";
	}
	function ask() {
		if (field)
			return field.focus();
		var text = window.prompt("Search for (a regular expression):", "");
		if (text !== null)
			search(text);
	}
	calls.forEach(function (c) {
		c.g.addEventListener("click", function () { zoom(c); });
		c.g.addEventListener("mouseover", function () { details.textContent = c.g.dataset.i; });
		c.g.addEventListener("mouseout", function () { details.textContent = rest; });
	});
	clear.addEventListener("click", function () { zoom(calls[0]); });
	svg.querySelector(".ask").addEventListener("click", ask);
	if (field)
		field.addEventListener("input", function () { search(field.value); });
	document.addEventListener("keydown", function (e) {
		if (e.key === "Escape")
			zoom(calls[0]);
		else if (e.key === "/" && e.target !== field) {
			e.preventDefault();
			ask();
		}
	});
	svg.querySelector(".ask").style.display = field ? "none" : "";
})();
