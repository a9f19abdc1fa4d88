// Keeps the Overview up to date, unless someone is reading or using a part of it that would
// change under their hands.
"use strict";

setInterval(() => {
	const overview = document.getElementById("overview");
	const busy = document.hidden || overview.contains(document.activeElement) ||
		overview.querySelector("details[open]") || !getSelection().isCollapsed;
	if (!busy) overview.dispatchEvent(new Event("refresh"));
}, 15_000);
