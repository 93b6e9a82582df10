// What stands around the pictures: the controls' states, the captions, the line of the slider, the ring.

/** Bring every control to what the state says. */
function controls(viewer) {
  const {p, state, data} = viewer, list = listed(data, state), at = list.indexOf(state.pair)
  const named = [...list, ...(at < 0 ? [state.pair] : [])]
  const key = JSON.stringify([named, state.order, state.arms])
  if (viewer.named !== key) {
    p.pair.replaceChildren(...named.map(position => option(position, titled(data, state, position))))
    viewer.named = key
  }
  p.pair.value = String(state.pair)
  p.count.textContent = at < 0 ? `${list.length} others` : `${at + 1} of ${list.length}`
  p.order.value = state.order
  p.previous.disabled = viewer.beside(-1) === undefined
  p.next.disabled = viewer.beside(1) === undefined
  for (const [mode, its] of Object.entries(p.modes)) {
    its.setAttribute('aria-pressed', String(mode === state.mode))
    its.disabled = state.arms.length < 2 || (mode === 'difference' && Boolean(data.no_map))
    for (const part of p.own[mode]) part.hidden = mode !== state.mode
  }
  p.swap.hidden = state.arms.length < 2
  p.add.hidden = state.mode !== 'side' || state.arms.length >= Math.min(data.arms.length, 6)
  const stand = (part, value, text) => {
    part.field.value = value
    part.output.textContent = text
    part.field.setAttribute('aria-valuetext', text)
  }
  stand(p.share, state.share, `${Math.round(100 * state.share)} %`)
  stand(p.opacity, state.opacity, `${Math.round(100 * state.opacity)} %`)
  stand(p.speed, state.speed, `${state.speed} a second`)
  stand(p.gain, Math.log2(state.gain), `×${state.gain}`)
  p.scale.lastChild.textContent = `${Math.floor(255 / state.gain)}${state.gain > 1 ? '+' : ''}`
  p.auto.setAttribute('aria-pressed', String(state.auto))
  p.stage.dataset.mode = state.mode
  p.stage.classList.toggle('upright', state.upright)
}

const altText = (viewer, arm) => {
  const {prompt, seed} = viewer.data.pairs[viewer.state.pair]
  return `${viewer.data.arms[arm].name}: ${viewer.data.prompts[prompt]}, seed ${seed}`
}

/** Write what was measured of one shot. */
function figures(shot, score) {
  if (!shot) return 'not made'
  if (shot.seconds === undefined) return ''
  return `${shot.seconds.toFixed(3)} s${shot.clip === null ? '' : ` · ${score} ${shot.clip.toFixed(2)}`}`
}

/** A link that saves a shot's file as it is, with its settings in it. */
function saved(shot) {
  const label = `Save ${shot.file}`, inside = shot.url.startsWith('#') && document.getElementById(shot.url.slice(1))
  return make('a', {class: 'save', href: inside ? inside.src : shot.url, download: shot.file, 'aria-label': label, title: label}, icon('save'))
}

/** One arm's name, as a choice where there are others, and its figures. */
function side(viewer, place, given = {}) {
  const {data, state} = viewer, arm = viewer.arms[place], shot = data.pairs[state.pair].shots[arm]
  let name = make('b', {text: data.arms[arm].name, title: data.arms[arm].name})
  if (data.arms.length > 2) {
    name = make('select', {'aria-label': `Picture ${place + 1}`, 'data-place': place,
      change: event => viewer.choose(place, Number(event.target.value))},
    ...data.arms.map((each, i) => option(i, `${i + 1} ${each.name}`)))
    name.value = String(arm)
  }
  const away = state.mode === 'side' && state.arms.length > 2 && pictured('close', `Leave ${data.arms[arm].name} out`,
    () => viewer.set({arms: state.arms.filter(each => each !== arm)}))
  const mark = data.arms[arm].mark && make('em', {class: 'mark', text: data.arms[arm].mark, title: data.arms[arm].mark})
  return make('div', {class: 'side', ...given}, name, mark, make('span', {}, figures(shot, data.score), shot?.file && !data.no_map && saved(shot)), away)
}

/** Build the captions and the pictures' alternative texts anew. */
function labels(viewer) {
  const {p, state, data, arms} = viewer, held = document.activeElement?.dataset?.place
  const name = arm => data.arms[arm].name
  const kinds = {
    slider: () => `${altText(viewer, arms[0])}; ${state.upright ? 'right' : 'below'} of the line ${name(arms[1])}`,
    overlay: () => `${altText(viewer, arms[0])}; over it ${name(arms[1])}`,
    flicker: () => altText(viewer, arms[state.flipped ? 1 : 0]),
    difference: () => `Difference of ${altText(viewer, arms[0])} and ${name(arms[1])}`,
  }
  const seen = state.mode === 'side'
    ? arms.map((arm, i) => [altText(viewer, arm), [side(viewer, i)]])
    : [[kinds[state.mode](), [0, 1].map(i => side(viewer, i, {
      class: `side${state.mode === 'flicker' && Number(state.flipped) !== i ? ' off' : ''}`}))]]
  p.over.replaceChildren(...seen.flatMap(([alt, sides]) =>
    [make('div', {class: 'named'}, ...sides), make('div', {class: 'pane', role: 'img', 'aria-label': alt})]))
  if (held !== undefined) p.over.querySelector(`[data-place="${held}"]`)?.focus()
  const {prompt, seed} = data.pairs[state.pair], found = state.mode === 'difference' && viewer.measured()
  const mapped = state.mode !== 'difference' ? '' : found ? inWords(found)
    : viewer.shown.slice(0, 2).every(Boolean)
      ? 'No difference map: the pictures differ in size, or the browser does not let their pixels be read.'
      : 'No difference map: a picture is missing.'
  p.prompted.replaceChildren(mapped && make('strong', {text: mapped}),
    make('span', {}, make('bdi', {text: data.prompts[prompt]}), ` · seed ${seed}`))
  p.facts.replaceChildren(factsTable(data, data.pairs[state.pair], arms))
  const told = `${NAMES[state.mode]}: ${seen.map(([alt]) => alt).join('; ')}${mapped && `. ${mapped}`}`
  if (!state.auto && p.live.textContent !== told) p.live.textContent = told
}

/** Put captions and panes where the plan has them. */
function placeLabels(viewer) {
  const {p, plan} = viewer, scale = devicePixelRatio
  const put = (element, x, y, w, h) => {
    const lengths = {left: x, top: y, width: w, height: h}
    for (const [key, value] of Object.entries(lengths)) element.style[key] = `${value / scale}px`
  }
  plan.panes.forEach((pane, i) => {
    const [caption, picture] = [p.over.children[2 * i], p.over.children[2 * i + 1]]
    if (!picture) return
    const band = plan.panes[0].y, edge = 8 * scale
    const least = (NARROW + 40) * (viewer.state.mode === 'side' ? 1 : 2) * scale
    const wide = Math.min(Math.max(viewer.size.width * plan.fit, least), pane.w - 2 * edge)
    put(caption, pane.x + (pane.w - wide) / 2, pane.y - band, wide, band)
    put(picture, pane.x, pane.y, pane.w, pane.h)
  })
}

/** Show the slider's line and the ring about the largest difference, and the zoom. */
function marks(viewer, view) {
  const {p, state, plan, rect, area} = viewer, scale = devicePixelRatio
  p.zoom.textContent = `${Math.round(100 * view.zoom)} %`
  p.fit.setAttribute('aria-pressed', String(state.zoom === null))
  p.pixel.setAttribute('aria-pressed', String(view.zoom === 1))
  // At fit a finger scrolls the page; enlarged, or across a line that lies, it moves what is seen.
  p.stage.classList.toggle('moves', view.zoom > plan.fit || (state.mode === 'slider' && !state.upright))
  p.line.hidden = state.mode !== 'slider' || area.w <= 0
  if (!p.line.hidden) {
    const [first] = split(area, state.share, state.upright)
    const [x, y] = state.upright ? [first.x + first.w, area.y] : [area.x, first.y + first.h]
    Object.assign(p.line.style, {left: `${x / scale}px`, top: `${y / scale}px`,
      width: state.upright ? '' : `${area.w / scale}px`, height: state.upright ? `${area.h / scale}px` : ''})
  }
  const found = state.mode === 'difference' && viewer.measured()
  p.largest.disabled = !found || !found.largest
  p.ring.hidden = true
  if (!found || !found.largest) return
  const [x, y] = [rect.x + (found.x + 0.5) * rect.w / found.width, rect.y + (found.y + 0.5) * rect.h / found.height]
  const pane = plan.panes[0], inside = x >= pane.x && x <= pane.x + pane.w && y >= pane.y && y <= pane.y + pane.h
  const wide = Math.max(22, view.zoom / scale * 1.42 + 4)
  p.ring.hidden = !inside
  Object.assign(p.ring.style, {left: `${x / scale - wide / 2}px`, top: `${y / scale - wide / 2}px`,
    width: `${wide}px`, height: `${wide}px`})
}
