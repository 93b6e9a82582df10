// The viewer's elements. Whatever a visitor wrote is set as text, never as markup.

const SVG = 'http://www.w3.org/2000/svg'
const ICONS = {
  previous: 'M10 3 5 8l5 5', next: 'm6 3 5 5-5 5', swap: 'M2 5h11m-3-3 3 3-3 3M14 11H3m3-3-3 3 3 3',
  full: 'M2 6V2h4m4 0h4v4m0 4v4h-4m-4 0H2v-4', save: 'M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11', close: 'm4 4 8 8m0-8-8 8', filter: 'M2 4h12M4 8h8m-5 4h2',
}
const NAMES = {side: 'Side by side', slider: 'Slider', overlay: 'Overlay', flicker: 'Flicker', difference: 'Difference'}
const KEYS = [
  ['M, Shift M', 'next or previous mode'], ['← →', 'previous or next pair'], ['1 – 6', 'that arm on the right'],
  ['C', 'swap left and right'], ['Space', 'flicker: the other picture'], ['A', 'flicker by itself, or stop'],
  ['[ ]', 'less or more: slider, opacity, speed, gain'], ['H', 'turn the slider'], ['L', 'to the largest difference'],
  ['+ −', 'enlarge or reduce'], ['Shift and arrows', 'move the picture'], ['Z', 'fit'],
  ['X', '1:1, a picture’s pixel is a pixel of the screen'], ['F', 'full screen'], ['?', 'this help'],
]

// In a blind test keys vote, and nothing says or changes which picture is whose.
const JUDGED = [['A, ←', 'A is better'], ['B, →', 'B is better'], ['T', 'a tie'], ['X', 'both are bad']]
const ALLOWED = ['+ −', 'Shift and arrows', 'Z', '?']

/** Make an element: ``text`` is its text, functions are listeners, all else attributes; false leaves one out. */
function make(tag, given = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(given)) {
    if (name === 'text') element.textContent = value
    else if (typeof value === 'function') element.addEventListener(name, value)
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...children.filter(Boolean))
  return element
}

function icon(name) {
  const svg = document.createElementNS(SVG, 'svg'), path = document.createElementNS(SVG, 'path')
  for (const [key, value] of Object.entries({viewBox: '0 0 16 16', width: 16, height: 16, 'aria-hidden': 'true'})) {
    svg.setAttribute(key, value)
  }
  path.setAttribute('d', ICONS[name])
  svg.append(path)
  return svg
}

const button = (label, click, given = {}) => make('button', {type: 'button', text: label, click, ...given})
const pictured = (name, label, click, given = {}) => {
  const made = make('button', {type: 'button', 'aria-label': label, title: label, click, ...given})
  made.append(icon(name))
  return made
}
const option = (value, text) => make('option', {value, text})

/** A slider with its name and what it stands at. */
function range(label, given, input) {
  const output = make('output'), field = make('input', {type: 'range', 'aria-label': label, ...given, input})
  return {whole: make('label', {class: 'range'}, make('span', {text: label}), field, output), field, output}
}

/** Build everything inside ``root``; return what changes later. ``does`` has what the controls do. */
function parts(root, data, does) {
  const p = {}
  p.previous = pictured('previous', 'Previous pair', () => does.step(-1), {'aria-keyshortcuts': 'ArrowLeft'})
  p.next = pictured('next', 'Next pair', () => does.step(1), {'aria-keyshortcuts': 'ArrowRight'})
  p.pair = make('select', {'aria-label': 'Pair', class: 'pair', change: () => does.set({pair: Number(p.pair.value)})})
  p.count = make('span', {class: 'count'})
  p.order = make('select', {'aria-label': 'Order', class: 'order', change: () => does.sort({order: p.order.value})},
    ...data.orders.map(order => option(order.name, order.name)))
  p.prompt = make('input', {type: 'search', 'aria-label': 'Prompts with these words',
    placeholder: 'Words of the prompt', input: () => does.sort({prompt: p.prompt.value})})
  p.seed = make('select', {'aria-label': 'Seed', change: () => does.sort({seed: p.seed.value})},
    option('', 'All seeds'), ...seeds(data).map(seed => option(seed, `Seed ${seed}`)))
  p.filter = make('div', {class: 'filter', hidden: true}, p.prompt, p.seed)
  p.open = pictured('filter', 'Filter the pairs', () => {
    p.filter.hidden = !p.filter.hidden
    p.open.setAttribute('aria-expanded', String(!p.filter.hidden))
    if (!p.filter.hidden) p.prompt.focus()
  }, {'aria-expanded': 'false', class: 'opens'})
  const several = data.pairs.length > 1
  p.pairs = make('div', {class: 'pairs', role: 'group', 'aria-label': 'Pairs'},
    p.previous, p.pair, p.next, p.count, p.open, data.orders.length > 1 && p.order)

  p.modes = Object.fromEntries(MODES.map(mode => [mode, button(NAMES[mode], () => does.set({mode}),
    {title: mode === 'difference' && (data.no_map ?? false)})]))
  p.swap = pictured('swap', 'Swap left and right', does.swap, {'aria-keyshortcuts': 'C'})
  p.share = range('Position', {min: 0, max: 1, step: 0.001}, () => does.set({share: Number(p.share.field.value)}))
  p.turn = button('Turn', does.turn, {'aria-label': 'Turn the slider', 'aria-keyshortcuts': 'H'})
  p.opacity = range('Opacity', {min: 0, max: 1, step: 0.01}, () => does.set({opacity: Number(p.opacity.field.value)}))
  p.flip = button('Flip', does.flip, {'aria-keyshortcuts': 'Space'})
  p.auto = button('Automatic', does.auto, {'aria-keyshortcuts': 'A'})
  p.speed = range('Speed', {min: 0.5, max: 4, step: 0.5}, () => does.set({speed: Number(p.speed.field.value)}))
  p.gain = range('Gain', {min: 0, max: 5, step: 1}, () => does.set({gain: 2 ** p.gain.field.value}))
  p.scale = make('span', {class: 'scale'}, make('span', {text: '0'}), make('i', {'aria-hidden': 'true'}), make('span'))
  p.largest = button('Largest', does.largest, {'aria-label': 'To the largest difference', 'aria-keyshortcuts': 'L'})
  p.add = button('Add an arm', does.add)
  p.own = {
    side: [p.add], slider: [p.share.whole, p.turn], overlay: [p.opacity.whole],
    flicker: [p.flip, p.auto, p.speed.whole], difference: [p.gain.whole, p.scale, p.largest],
  }
  p.zoom = make('span', {class: 'percent'})
  p.fit = button('Fit', does.fit, {'aria-keyshortcuts': 'Z'})
  p.pixel = button('1:1', does.pixel, {'aria-label': '1:1, every pixel of the picture one of the screen'})
  p.full = pictured('full', 'Full screen', does.full, {'aria-keyshortcuts': 'F'})
  p.ask = button('?', () => does.help(), {'aria-label': 'Help: the keys', 'aria-keyshortcuts': '?'})
  p.bar = make('div', {class: 'tools'},
    ...(data.blind ? [] : [
      make('div', {class: 'modes', role: 'group', 'aria-label': 'Mode'}, ...Object.values(p.modes)), p.swap,
      make('div', {class: 'own', role: 'group', 'aria-label': 'Of this mode'}, ...Object.values(p.own).flat())]),
    make('div', {class: 'zoom', role: 'group', 'aria-label': 'Zoom'},
      button('−', () => does.zoom(-1), {'aria-label': 'Reduce'}), p.zoom,
      button('+', () => does.zoom(1), {'aria-label': 'Enlarge'}), p.pixel, p.fit, !data.blind && p.full, p.ask))

  p.canvas = make('canvas', {'aria-hidden': 'true'})
  p.over = make('div', {class: 'over'})
  p.line = make('div', {class: 'divider', 'aria-hidden': 'true', hidden: true}, make('i'))
  p.ring = make('div', {class: 'ring', 'aria-hidden': 'true', hidden: true})
  p.inner = make('div', {class: 'inner'}, p.canvas, p.over, p.line, p.ring)
  p.stage = make('div', {class: 'stage', tabindex: 0, role: 'group', 'aria-label': 'Pictures; press ? for the keys',
    'aria-busy': 'true'}, p.inner)
  p.prompted = make('p', {class: 'prompted'})
  p.facts = make('div', {class: 'facts', tabindex: 0, role: 'region', 'aria-label': 'What differs'})
  p.live = make('div', {class: 'live', role: 'status'})
  const keys = data.blind ? [...JUDGED, ...KEYS.filter(([key]) => ALLOWED.includes(key))] : KEYS
  p.help = make('dialog', {'aria-label': 'Keys'}, make('h2', {text: 'Keys'}),
    make('dl', {}, ...keys.flatMap(([key, what]) => [make('dt', {text: key}), make('dd', {text: what})])),
    make('p', {text: 'Wheel or pinch enlarges, dragging moves, a double click changes between fit and 1:1.'}),
    button('Close', () => p.help.close(), {autofocus: true}))
  root.append(...(several ? [p.pairs, p.filter] : []), p.bar, p.stage,
    ...(data.blind ? [] : [p.prompted, p.facts]), p.live, p.help)
  return p
}
