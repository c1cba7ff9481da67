'use strict';

const model = JSON.parse(document.getElementById('model').textContent);

/** The generator: numbers in, numbers out, and nothing of the page. */
const ganlet = (() => {
  const [rows, columns] = model.image;
  const layers = weights();

  /** The layers, of whole numbers of a few bits: first the rows of a layer, then its biases, each times a scale. */
  function weights() {
    const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
    const codes = bytes(model.codes);
    const scales = new Float32Array(bytes(model.scales).buffer);
    const middle = 2 ** (model.bits - 1) - 1;
    let at = 0, row = 0, held = 0, count = 0;
    const read = (into, from, length) => {
      const scale = scales[row++];
      for (let i = 0; i < length; i++) {
        for (; count < model.bits; count += 8) held = held << 8 | codes[at++];
        count -= model.bits;
        into[from + i] = ((held >>> count) - middle) * scale;
        held &= (1 << count) - 1;
      }
    };
    return model.layers.map(({ inputs, rows, activation: { kind, value } }) => {
      const weight = new Float32Array(rows * inputs), bias = new Float32Array(rows);
      for (let r = 0; r < rows; r++) read(weight, r * inputs, inputs);
      read(bias, 0, rows);
      const out = new Float32Array(kind === 'maxout' ? rows / value : rows);
      return { inputs, rows, weight, bias, kind, value, sums: new Float32Array(rows), out };
    });
  }

  function activate({ kind, value, sums, out }) {
    switch (kind) {
      case 'leaky_relu': for (let i = 0; i < out.length; i++) out[i] = sums[i] > 0 ? sums[i] : value * sums[i]; break;
      case 'tanh': for (let i = 0; i < out.length; i++) out[i] = Math.tanh(sums[i]); break;
      case 'sigmoid': for (let i = 0; i < out.length; i++) out[i] = 1 / (1 + Math.exp(-sums[i])); break;
      case 'maxout':
        for (let i = 0; i < out.length; i++) {
          out[i] = -Infinity;
          for (let piece = 0; piece < value; piece++) out[i] = Math.max(out[i], sums[i * value + piece]);
        }
        break;
      default: out.set(sums);
    }
    return out;
  }

  /** Input, a latent and how much of each class, to pixels in [-1, 1]; they are valid until the next call. */
  function generate(input) {
    let x = input;
    for (const layer of layers) {
      const { inputs, rows, weight, bias, sums } = layer;
      for (let row = 0, w = 0; row < rows; row++) {
        let sum = bias[row];
        for (let i = 0; i < inputs; i++) sum += weight[w++] * x[i];
        sums[row] = sum;
      }
      x = activate(layer);
    }
    return x;
  }

  /** Philox 4x32-10 (Salmon and others, 2011): four random words as a function of a counter and a key. */
  function philox([a, b, c, d], [k, l]) {
    const product = (x, y) => {
      const p = BigInt(x) * BigInt(y);
      return [Number(p >> 32n), Number(p & 0xffffffffn)];
    };
    for (let round = 0; round < 10; round++) {
      const [high, low] = product(0xd2511f53, a), [upper, lower] = product(0xcd9e8d57, c);
      [a, b, c, d] = [(upper ^ b ^ k) >>> 0, lower, (high ^ d ^ l) >>> 0, low];
      [k, l] = [(k + 0x9e3779b9) >>> 0, (l + 0xbb67ae85) >>> 0];
    }
    return [a, b, c, d];
  }

  /** The latent of a sample: of the same numbers as `ganlet sample --seeds`. */
  function latent(sample) {
    const key = [Number(BigInt(sample) & 0xffffffffn), Number(BigInt(sample) >> 32n)];
    const block = number => philox([number, model.domain, 0, 0], key);
    const unit = word => (word >>> 8) / 2 ** 24;
    const out = new Float32Array(model.latent);
    if (model.latents === 'uniform') {
      for (let i = 0; i < out.length; i++) out[i] = Math.sqrt(3) * (2 * unit(block(i >> 2)[i & 3]) - 1);
      return out;
    }
    // Two words of a block make two normal numbers (Box and Muller, 1958); 16 blocks lie side by side.
    for (let i = 0; i < out.length; i++) {
      const words = block((i >> 6) * 16 + i % 16), which = i % 64 >> 4;
      const radius = Math.sqrt(-2 * Math.log(1 - unit(words[which & 2])));
      const turn = (words[which | 1] & ~63) >>> 0;
      const angle = (turn / 2 ** 32 - 1 / 8) * 2 * Math.PI;
      out[i] = radius * (which & 1 ? Math.sin(angle) : Math.cos(angle));
    }
    return out;
  }

  /** A class, or the one that a number comes to when classes take turns: 1 at its place, and else 0. */
  const label = number => Array.from({ length: model.classes }, (_, i) => +(i === Number(BigInt(number) % BigInt(model.classes))));

  /** The input of a sample, of its own class or of the one that is asked for. */
  const sample = (number, asked = number) => Float32Array.of(...latent(number), ...label(asked));

  /** From one input to another: latents along a great circle where they are normal (White, 2016), all else straight. */
  function between(from, to, t) {
    const dot = (a, b) => a.reduce((sum, x, i) => i < model.latent ? sum + x * b[i] : sum, 0);
    const cosine = dot(from, to) / Math.sqrt(dot(from, from) * dot(to, to));
    const angle = model.latents === 'normal' ? Math.acos(Math.min(1, Math.max(-1, cosine))) : 0;
    const share = t => Math.sin(angle) > 1e-3 ? Math.sin(t * angle) / Math.sin(angle) : t;
    const [a, b] = [share(1 - t), share(t)];
    return from.map((x, i) => i < model.latent ? a * x + b * to[i] : (1 - t) * x + t * to[i]);
  }

  return { rows, columns, generate, label, sample, between };
})();

/** The page. A point is what can be shown: an input of the generator, and a name. */
(() => {
  const element = id => document.getElementById(id);
  const { latent, classes, directions } = model;
  const normal = model.latents === 'normal';

  /** The class that was asked for; without one, samples are of their own. */
  let asked;
  const named = (name, label) => classes ? `${name}, class ${ganlet.label(label).indexOf(1)}` : name;
  const sample = number => ({ input: ganlet.sample(number, asked), name: named(`Sample ${number}`, asked ?? number), number });

  function paint(canvas, point, left = 0, top = 0) {
    const pixels = ganlet.generate(point.input);
    const context = canvas.getContext('2d');
    const image = context.createImageData(ganlet.columns, ganlet.rows);
    for (let i = 0; i < pixels.length; i++) {
      const grey = Math.floor(Math.min(1, Math.max(0, (pixels[i] + 1) / 2)) * 255 + 0.5);
      image.data.set([grey, grey, grey, 255], 4 * i);
    }
    context.putImageData(image, left, top);
  }

  const sized = (canvas, across = 1, down = 1) => Object.assign(canvas, { width: ganlet.columns * across, height: ganlet.rows * down });

  /** Work for when there is time: some of it in each frame, so that none is late. */
  const later = [];
  let working = false;
  function soon(tasks) {
    later.push(...tasks);
    if (!working) { working = true; requestAnimationFrame(work); }
  }
  function work() {
    const end = performance.now() + 8;
    while (later.length && performance.now() < end) later.shift()();
    working = later.length > 0;
    if (working) requestAnimationFrame(work);
  }

  // What is shown.

  const picture = sized(element('picture'));
  let shown, origin, drawn = true;

  /** Shows a point, in the next frame; `from` is where changes lead back to. */
  function show(point, from = point) {
    [shown, origin] = [point, from];
    element('back').disabled = point === from;
    if (drawn) { drawn = false; requestAnimationFrame(draw); }
  }
  function draw() {
    drawn = true;
    paint(picture, shown);
    const changed = shown === origin ? '' : ', changed';
    element('caption').textContent = shown.name + changed;
    picture.setAttribute('aria-label', shown.name + changed);
    if (shown.number !== undefined && document.activeElement !== element('number')) element('number').value = shown.number;
    sliders.forEach(slide => slide());
    for (const tile of element('sheet').children) tile.setAttribute('aria-pressed', tile.dataset.number === String(shown.number));
  }

  const random = () => show(sample(Math.floor(Math.random() * 1e4)));
  element('random').onclick = element('new').onclick = random;
  element('back').onclick = () => show(origin);
  element('number').oninput = ({ target }) => {
    const large = /^\d+$/.test(target.value) && BigInt(target.value) >= 1n << 64n;
    target.setCustomValidity(large ? 'The largest sample is 18446744073709551615' : '');
  };
  element('ask').onsubmit = event => {
    event.preventDefault();
    show(sample(BigInt(element('number').value)));
  };

  // Classes.

  if (classes) {
    element('classes').hidden = false;
    const choice = (label, text) => {
      const input = Object.assign(document.createElement('input'), { type: 'radio', name: 'class', checked: label === undefined });
      input.onchange = () => {
        asked = label;
        fillSheet();
        if (label === undefined) return;
        const input = Float32Array.of(...shown.input.slice(0, latent), ...ganlet.label(label));
        show({ ...shown, input, name: named(shown.name.replace(/, class.*/, ''), label) });
      };
      const face = Object.assign(document.createElement('span'), { textContent: text });
      const wrap = document.createElement('label');
      wrap.append(input, face);
      return wrap;
    };
    element('classes').lastChild.append(choice(undefined, 'all'), ...Array.from({ length: classes }, (_, label) => choice(label, label)));
  }

  // The sheet.

  const TILES = 24;
  let first = 0;
  function fillSheet() {
    element('range').textContent = `samples ${first} to ${first + TILES - 1}`;
    const tiles = Array.from({ length: TILES }, (_, i) => {
      const number = first + i;
      const tile = Object.assign(document.createElement('button'), { className: 'tile', type: 'button' });
      tile.dataset.number = number;
      tile.setAttribute('aria-label', sample(number).name);
      tile.onclick = () => show(sample(number));
      tile.append(sized(document.createElement('canvas')));
      return tile;
    });
    element('sheet').replaceChildren(...tiles);
    soon(tiles.map(tile => () => tile.isConnected && paint(tile.firstChild, sample(tile.dataset.number))));
  }
  element('more').onclick = () => {
    first += TILES;
    fillSheet();
    show(sample(first));
  };

  // The pad.

  const ACROSS = 7;
  const field = sized(element('field'), ACROSS, ACROSS), pad = element('pad'), knob = element('knob');
  let corners, place = [0, 0];

  function at([x, y]) {
    const corner = [x, y].every(t => t === 0 || t === 1) && corners[2 * y + x];
    if (corner) return corner;
    const [above, below] = [0, 2].map(i => ganlet.between(corners[i].input, corners[i + 1].input, x));
    return { input: ganlet.between(above, below, y), name: `Between ${corners.map(corner => corner.number ?? 'a picture').join(', ')}` };
  }
  function setCorners(points) {
    corners = points;
    const last = ACROSS - 1;
    soon(Array.from({ length: ACROSS * ACROSS }, (_, i) => {
      const [x, y] = [i % ACROSS, Math.floor(i / ACROSS)];
      return () => corners === points && paint(field, at([x / last, y / last]), x * ganlet.columns, y * ganlet.rows);
    }));
  }
  /** Puts the knob there; a picture of the field is at the middle of its square. */
  function move(x, y, quietly = false) {
    place = [x, y].map(t => Math.min(1, Math.max(0, t)));
    const share = t => `${(0.5 + t * (ACROSS - 1)) / ACROSS * 100}%`;
    Object.assign(knob.style, { left: share(place[0]), top: share(place[1]) });
    const percent = place.map(t => Math.round(t * 100));
    knob.setAttribute('aria-valuenow', percent[0]);
    knob.setAttribute('aria-valuetext', `${percent[0]} % to the right, ${percent[1]} % down`);
    if (!quietly) show(at(place));
  }
  function drag({ clientX, clientY }) {
    const box = field.getBoundingClientRect();
    const along = (offset, size) => (offset / size * ACROSS - 0.5) / (ACROSS - 1);
    move(along(clientX - box.left, box.width), along(clientY - box.top, box.height));
  }
  pad.onpointerdown = event => {
    event.preventDefault();
    pad.setPointerCapture(event.pointerId);
    knob.focus({ preventScroll: true });
    drag(event);
  };
  pad.onpointermove = event => pad.hasPointerCapture(event.pointerId) && drag(event);
  knob.onkeydown = event => {
    const step = event.shiftKey ? 0.2 : 0.02, [x, y] = place;
    const ways = {
      ArrowLeft: [x - step, y], ArrowRight: [x + step, y], ArrowUp: [x, y - step], ArrowDown: [x, y + step],
      Home: [0, y], End: [1, y], PageUp: [x, 0], PageDown: [x, 1],
    };
    if (ways[event.key]) { event.preventDefault(); move(...ways[event.key]); }
  };
  element('corners').onclick = () => {
    setCorners(Array.from({ length: 4 }, () => sample(Math.floor(Math.random() * 1e4))));
    move(0.5, 0.5);
  };
  ['\u2196 upper left', '\u2197 upper right', '\u2199 lower left', '\u2198 lower right'].forEach((text, corner) => {
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: text[0], title: text.slice(2) });
    button.setAttribute('aria-label', `Put the picture shown into the ${text.slice(2)} corner`);
    button.onclick = () => setCorners(corners.map((point, i) => i === corner ? shown : point));
    element('put').append(button);
  });

  // The sliders: the coordinates of what is shown, in the directions.

  const REACH = normal ? 4 : 2;
  const sliders = directions.map(({ vector, share }, i) => {
    const slider = Object.assign(document.createElement('input'), { type: 'range', min: -REACH, max: REACH, step: 0.01 });
    const text = Object.assign(document.createElement('span'), { textContent: `${i + 1}: ${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %` });
    const output = document.createElement('output');
    const label = document.createElement('label');
    label.append(text, slider, output);
    element('directions').append(label);
    const coordinate = () => vector.reduce((sum, v, k) => sum + v * shown.input[k], 0);
    slider.oninput = () => {
      const way = slider.value - coordinate();
      const input = shown.input.map((x, k) => k < latent ? x + way * vector[k] : x);
      show({ ...shown, input }, origin);
    };
    return () => {
      const value = coordinate();
      if (document.activeElement !== slider || Math.abs(slider.value - value) > 0.02) slider.value = value;
      output.textContent = value.toFixed(2);
    };
  });

  // The words, and the beginning.

  const weights = model.layers.reduce((sum, { inputs, rows }) => sum + rows * (inputs + 1), 0);
  const whole = number => number.toLocaleString('en');
  const like = normal ? 'normally distributed' : 'uniform';
  element('about').textContent = `A generator turns ${whole(latent)} ${like} random numbers${classes ? ' and a class' : ''} into a picture of `
    + `${ganlet.rows} \u00d7 ${ganlet.columns} pixels. It runs here, in this page; nothing is sent anywhere.`;
  element('latent').textContent = whole(latent);
  element('made').textContent = `Made by Ganlet. ${whole(weights)} weights of ${model.bits} bits are in this file. `
    + 'Sample N is the picture that \u201cganlet sample --seeds N\u201d draws.';
  setCorners([0, 1, 2, 3].map(sample));
  move(0.5, 0.5, true);
  fillSheet();
  show(sample(0));
})();
