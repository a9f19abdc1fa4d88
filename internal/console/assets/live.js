// Keeps the list of the page Live up to date. The rows come from the server as they are in the
// page, so this script only puts them into the table.
"use strict";

(() => {
	const rows = document.getElementById("live-rows");
	const status = document.getElementById("live-status");
	const pause = document.getElementById("live-pause");
	const none = document.getElementById("live-none");
	const most = Number(rows.dataset.rows);
	let stream = null;
	let paused = false;
	let missed = 0;

	function say(text) {
		if (missed > 0) text += ` ${missed.toLocaleString("en")} missed: there were too many at once.`;
		if (status.textContent !== text) status.textContent = text;
	}

	// add puts rows on top. A request that was open and has ended has only its last row. Others
	// stay: some clients choose their ids, and could hide what they did before.
	function add(html) {
		const template = document.createElement("template");
		template.innerHTML = html;
		for (const row of [...template.content.children]) {
			if (row.id) rows.querySelector(`#${CSS.escape(row.id)}[data-open]`)?.remove();
		}
		rows.prepend(template.content);
		while (rows.children.length > most) rows.lastElementChild.remove();
		none.hidden = rows.children.length > 0;
	}

	function follow() {
		if (stream || paused || document.hidden) return;
		stream = new EventSource(rows.dataset.stream);
		stream.addEventListener("snapshot", (event) => {
			rows.replaceChildren();
			add(event.data);
			missed = 0;
			say("Following. New decisions appear on top.");
		});
		stream.addEventListener("decisions", (event) => add(event.data));
		stream.addEventListener("missed", (event) => {
			missed += Number(event.data);
			say("Following. New decisions appear on top.");
		});
		stream.addEventListener("error", () => {
			if (stream?.readyState === EventSource.CLOSED) {
				stop();
				say("The gateway does not let this page follow; refresh it to try again.");
			} else {
				say("The connection is lost; trying again.");
			}
		});
	}

	function stop() {
		stream?.close();
		stream = null;
	}

	pause.addEventListener("click", () => {
		paused = !paused;
		pause.setAttribute("aria-pressed", String(paused));
		if (paused) {
			stop();
			say("Paused. What happens meanwhile appears when you go on.");
		} else {
			follow();
		}
	});
	// Browsers have few connections for a host, and a hidden page needs none.
	document.addEventListener("visibilitychange", () => (document.hidden ? stop() : follow()));

	pause.hidden = false;
	document.getElementById("live-refresh").hidden = true;
	follow();
})();
