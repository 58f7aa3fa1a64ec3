// The contrast of each visible text with each colour behind it, by the formula of WCAG 2; the five least.
(() => {
  const parse = color => {
    const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const blend = (top, ground) => [0, 1, 2].map(i => top[i] * top[3] + ground[i] * (1 - top[3])).concat(1);
  const linear = value => value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);

  // All colours that may be behind a node: a gradient has several.
  const grounds = node => {
    if (!node) return [[255, 255, 255, 1]];
    const style = getComputedStyle(node);
    if (style.backgroundImage !== 'none') return style.backgroundImage.match(/rgba?\([^)]*\)/g).map(parse);
    const color = parse(style.backgroundColor);
    return color[3] === 1 ? [color] : grounds(node.parentElement).map(ground => blend(color, ground));
  };
  // What is seen through is paler by as much.
  const opacity = node => node ? getComputedStyle(node).opacity * opacity(node.parentElement) : 1;

  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    const text = texts.currentNode.data.trim();
    if (!text || !node.checkVisibility({visibilityProperty: true}) || node.closest('.unseen')) continue;
    const color = parse(getComputedStyle(node).color);
    color[3] *= opacity(node);
    for (const ground of grounds(node)) {
      const [a, b] = [luminance(blend(color, ground)), luminance(ground)];
      found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text.slice(0, 40)]);
    }
  }
  return found.sort(([a], [b]) => a - b).slice(0, 5);
})()
