// The page's own script. Every page works without it: it only draws the charts whose numbers
// stand in a table beside them, and copies commands.
"use strict";

(() => {
	const theme = matchMedia("(prefers-color-scheme: dark)");
	const drawn = new Map(); // figure → chart

	// color returns a color of console.css as the theme has it now.
	function color(name) {
		const probe = document.createElement("span");
		probe.style.color = `var(--${name})`;
		document.body.append(probe);
		const value = getComputedStyle(probe).color;
		probe.remove();
		return value;
	}

	// draw draws a figure with data-chart: {"x": [seconds…], "series": [{"label", "color", "y"}…]}.
	function draw(figure) {
		const data = JSON.parse(figure.dataset.chart);
		if (data.x.length === 0) return;
		const days = data.x.at(-1) - data.x[0] > 86_400;
		const utc = (seconds) => new Date(seconds * 1000).toISOString().slice(days ? 5 : 11, 16).replace("T", " ");
		const axis = { stroke: color("text"), grid: { stroke: color("line"), width: 1 }, ticks: { stroke: color("line"), width: 1 } };
		const place = document.createElement("div");
		figure.querySelector("figcaption").after(place);
		const chart = new uPlot({
			width: Math.max(240, figure.clientWidth),
			height: 220,
			padding: [null, days ? 44 : 24, null, null],
			tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
			cursor: { drag: { x: false, y: false } },
			scales: { y: { range: (_, low, high) => [Math.min(0, low), Math.max(1, high * 1.1)] } },
			axes: [{ ...axis, space: days ? 100 : 50, values: (_, at) => at.map(utc) }, { ...axis, size: 60, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6] }],
			series: [{ label: data.bin ?? "Minute", value: (_, at) => (at === null ? "--" : utc(at)) }, ...data.series.map((s) => ({
				label: s.label, stroke: color(s.color), width: 2, fill: s.fill ? color(s.color) : undefined,
				dash: s.dash, points: { show: data.x.length < 2 },
			}))],
		}, [data.x, ...data.series.map((s) => s.y)], place);
		// Screen readers get the table.
		place.setAttribute("aria-hidden", "true");
		drawn.set(figure, { chart, place });
	}

	function undraw(figure) {
		const { chart, place } = drawn.get(figure);
		chart.destroy();
		place.remove();
		drawn.delete(figure);
	}

	function charts() {
		for (const figure of [...drawn.keys()]) {
			if (!figure.isConnected) undraw(figure);
		}
		if (!window.uPlot) return;
		for (const figure of document.querySelectorAll("figure[data-chart]")) {
			if (!drawn.has(figure)) draw(figure);
		}
	}

	function redraw() {
		for (const figure of [...drawn.keys()]) undraw(figure);
		charts();
	}

	// buttons shows those that need a script.
	function buttons() {
		for (const button of document.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
	}

	async function copy(button) {
		const source = button.parentElement.querySelector("code");
		try {
			await navigator.clipboard.writeText(source.textContent);
			button.textContent = "Copied";
		} catch {
			getSelection().selectAllChildren(source); // as over plain HTTP; the user copies it
			button.textContent = "Selected";
		}
	}

	function refresh() {
		buttons();
		charts();
	}

	document.addEventListener("click", (event) => {
		const button = event.target.closest("button[data-copy]");
		if (button) copy(button);
	});
	document.addEventListener("htmx:after:swap", refresh);
	theme.addEventListener("change", redraw);
	let wait;
	addEventListener("resize", () => {
		clearTimeout(wait);
		wait = setTimeout(redraw, 150);
	});
	refresh();
})();
