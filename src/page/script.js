"use strict";
// A comparison: several pictures on top of each other, two of which show, parted by a slider.
for (const view of document.querySelectorAll(".view")) {
  const box = view.querySelector(".compare");
  const images = [...box.querySelectorAll("img")];
  const slider = box.querySelector("input");
  const line = box.querySelector(".line");
  const sides = [...view.querySelectorAll("select")];
  if (!slider || sides.length !== 2) continue;

  const show = () => {
    const [left, right] = sides.map((side) => Number(side.value));
    images.forEach((image, i) => {
      image.classList.toggle("over", i === left && left !== right);
      image.classList.toggle("under", i === right);
    });
    slider.hidden = line.hidden = left === right;
    const percent = Math.round(Number(slider.value));
    box.style.setProperty("--at", String(slider.value / 100));
    slider.setAttribute(
      "aria-valuetext",
      `${percent} % ${sides[0].selectedOptions[0].text}, ${100 - percent} % ${sides[1].selectedOptions[0].text}`,
    );
  };
  slider.addEventListener("input", show);
  sides.forEach((side) => side.addEventListener("change", show));
  view.querySelector(".sides").hidden = false;
  show();
}
