"use strict";
// The list of videos: searched, filtered and paged. All that a run says becomes text of elements, never markup.
const PAGE = 24;

function element(name, text, classes) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (classes) made.className = classes;
  return made;
}

function folded(title, list) {
  const made = element("details");
  made.append(element("summary", title));
  for (const [source, texts] of list) {
    made.append(element("p", source, "quiet"));
    const items = element("ol");
    items.append(...texts.map((text) => element("li", text)));
    made.append(items);
  }
  return made;
}

function chips(source, texts, sources) {
  const place = sources.indexOf(source);
  const made = element("p", undefined, `chips s${(place < 0 ? 7 : place) % 8}`);
  made.append(element("b", source), " ");
  for (const text of texts) made.append(element("span", text), " ");
  return made;
}

function card(item, data) {
  const made = element("article", undefined, "card");
  const picture = data.pictures[item.place];
  if (picture && picture.frame) {
    const image = element("img");
    image.src = picture.frame;
    image.alt = `the middle of ${item.video}`;
    made.append(image);
  }
  made.append(element("h4", item.video));
  if (item.start !== null || item.end !== null) {
    made.append(element("p", `${item.start ?? 0} s to ${item.end === null ? "the end" : item.end + " s"}`, "quiet"));
  }
  made.append(element("p", `${item.entry} (${item.score.toFixed(4)})${item.kept ? "" : ", not kept"}`));
  if (item.label) made.append(element("p", `label: ${item.label}`, "quiet"));
  if (item.top.length) {
    made.append(element("p", "then: " + item.top.map(([entry, score]) => `${entry} ${score.toFixed(4)}`).join(", "), "quiet"));
  }
  if (item.signs.length) made.append(element("p", "look at: " + item.signs.join(", "), "signs"));
  if (picture && picture.missing) made.append(element("p", "no picture: " + picture.missing, "missing"));
  if (item.captions.length) made.append(folded("captions", item.captions));
  if (item.phrases.length) made.append(folded("phrases", item.phrases));
  for (const [source, texts] of item.bag) if (texts.length) made.append(chips(source, texts, data.sources));
  return made;
}

// What a search looks through; made when it is first wanted, so that a page opens without it.
function searched(item) {
  if (item.searched === undefined) {
    const said = [...item.captions, ...item.phrases, ...item.bag].flatMap(([, texts]) => texts);
    item.searched = [item.video, item.entry, item.label || "", ...said].join("\n").toLowerCase();
  }
  return item.searched;
}

function size(item) {
  return item.bag.reduce((sum, [, texts]) => sum + texts.length, 0);
}

const ORDERS = {
  place: (a, b) => a.place - b.place,
  high: (a, b) => b.score - a.score,
  low: (a, b) => a.score - b.score,
  few: (a, b) => size(a) - size(b),
};

function fits(item, wanted) {
  if (wanted.entry && item.entry !== wanted.entry) return false;
  if (wanted.source && !item.bag.some(([source, texts]) => source === wanted.source && texts.length)) return false;
  if (wanted.sign === "kept" ? !item.kept : wanted.sign === "not kept" ? item.kept
    : wanted.sign === "any" ? !item.signs.length : wanted.sign && !item.signs.includes(wanted.sign)) return false;
  if (item.score < wanted.low || item.score > wanted.high) return false;
  return wanted.words.every((word) => searched(item).includes(word));
}

function browse(section) {
  const data = JSON.parse(section.querySelector("script.data").textContent);
  const form = section.querySelector(".filters");
  const pages = section.querySelector(".pages");
  const cards = section.querySelector(".cards");
  const entries = [...new Set(data.listed.map((item) => item.entry))].sort();
  form.elements.entry.append(...entries.map((entry) => new Option(entry, entry)));
  let found = [];
  let page = 0;

  function show() {
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    page = Math.min(Math.max(page, 0), last);
    cards.replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map((item) => card(item, data)));
    pages.querySelector("span").textContent = `page ${page + 1} of ${last + 1}`;
    pages.querySelector("[name=back]").disabled = page === 0;
    pages.querySelector("[name=next]").disabled = page === last;
    pages.hidden = last === 0;
  }

  function filter() {
    const value = (name) => form.elements[name].value;
    const wanted = {
      words: value("words").toLowerCase().split(/\s+/).filter(Boolean),
      entry: value("entry"), source: value("source"), sign: value("sign"),
      low: value("low") === "" ? -Infinity : Number(value("low")),
      high: value("high") === "" ? Infinity : Number(value("high")),
    };
    found = data.listed.filter((item) => fits(item, wanted)).sort(ORDERS[value("order")]);
    section.querySelector(".found").textContent = `${found.length} of ${data.listed.length} listed videos`;
    page = 0;
    show();
  }

  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  pages.querySelector("[name=back]").addEventListener("click", () => { page -= 1; show(); });
  pages.querySelector("[name=next]").addEventListener("click", () => { page += 1; show(); cards.scrollIntoView(); });
  form.hidden = false;
  filter();
}

for (const data of document.querySelectorAll("script.data")) browse(data.closest("section"));
