"use strict";
// Keeps every answer in the browser the moment it is given, and gives all of them back as one file.
const about = JSON.parse(document.getElementById("top").dataset.about);
const reviewer = document.getElementById("reviewer");
const kept = "auditkit " + (about.sample_id || about.run_id);
const replies = [...document.querySelectorAll("section.reply")];
let answers = {}; // "request key, field" -> label
let since = Date.now();

try {
  const stored = JSON.parse(localStorage.getItem(kept) || "{}");
  answers = stored.answers || {};
  reviewer.value = stored.reviewer || reviewer.value;
} catch { alert("This browser keeps nothing for this page: download the labels before you close it."); }

function keep() {
  try { localStorage.setItem(kept, JSON.stringify({ reviewer: reviewer.value, answers })); } catch { /* said above */ }
}

function ticked(box) { return [...box.querySelectorAll("input[name]")].filter((input) => input.checked); }

function read(box) {
  if (box.tagName === "TEXTAREA") return box.value.trim();
  return ticked(box).map((input) => {
    const severity = input.closest("span").querySelector("select");
    return severity ? input.value + ":" + severity.value : input.value;
  }).sort().join(",");
}

function show(box, label) {
  if (box.tagName === "TEXTAREA") { box.value = label.value; return; }
  for (const part of label.value.split(",")) {
    const [value, severity] = part.split(":");
    const input = [...box.querySelectorAll("input[name]")].find((each) => each.value === value);
    if (!input) continue;
    input.checked = true;
    if (severity) input.closest("span").querySelector("select").value = severity;
  }
  box.querySelector(".uncertain").checked = label.uncertain;
}

function count() {
  let done = 0;
  for (const reply of replies) {
    const complete = about.fields.every((field) => (answers[reply.dataset.key + "," + field] || {}).value);
    reply.classList.toggle("complete", complete);
    done += complete;
  }
  document.getElementById("bar").max = replies.length;
  document.getElementById("bar").value = done;
  document.getElementById("done").textContent = done + " of " + replies.length;
}

for (const reply of replies) {
  for (const box of reply.querySelectorAll("[data-field]")) {
    const name = reply.dataset.key + "," + box.dataset.field;
    if (answers[name]) show(box, answers[name]);
    box.addEventListener("change", (event) => {
      if (event.target.type === "checkbox" && event.target.name && event.target.checked) {
        for (const input of ticked(box)) {  // none stands alone
          if (input !== event.target && (input.value === "none" || event.target.value === "none")) input.checked = false;
        }
      }
      if (event.target.tagName === "SELECT") {
        const input = event.target.closest("span").querySelector("input");
        if (!input.checked) input.click();
      }
      const now = Date.now(), seconds = (now - since) / 1000;
      since = now;
      answers[name] = {
        request_key: reply.dataset.key, field: box.dataset.field, value: read(box),
        uncertain: !!(box.querySelector && box.querySelector(".uncertain") || {}).checked,
        seconds: seconds < 600 ? Math.round(seconds * 100) / 100 : null, created_at: new Date(now).toISOString(),
      };
      keep();
      count();
    });
  }
}
reviewer.addEventListener("change", keep);
count();

function save(text, type, ending) {
  if (!reviewer.value.trim()) { alert("Give your name first."); reviewer.focus(); return; }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = "labels-" + reviewer.value.trim().replace(/[^\p{L}\p{N}-]+/gu, "_") + ending;
  link.click();
  URL.revokeObjectURL(link.href);
}

function labels() {
  return Object.values(answers).filter((label) => label.value).map((label) => ({
    reviewer: reviewer.value.trim(), run_id: about.run_id, sample_id: about.sample_id, blind: about.blind, ...label,
  }));
}

document.getElementById("json").addEventListener("click", () => {
  save(JSON.stringify({ auditkit_labels: 1, labels: labels() }, null, 1), "application/json", ".json");
});

document.getElementById("csv").addEventListener("click", () => {
  const names = ["request_key", "field", "value", "uncertain", "note", "reviewer", "run_id", "sample_id", "blind", "seconds", "created_at"];
  const cell = (value) => '"' + String(value === null || value === undefined ? "" : value).replaceAll('"', '""') + '"';
  const rows = labels().map((label) => names.map((name) => cell(label[name])).join(","));
  save(names.join(",") + "\r\n" + rows.join("\r\n") + "\r\n", "text/csv", ".csv");
});
