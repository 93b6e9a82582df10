// What the controls, the keys and the fingers do.

const between = (value, low, high) => Math.min(Math.max(value, low), high)
const LINE = 24 // CSS pixels on both sides of the slider's line that take hold of it

/** What every control does. */
function actions(viewer) {
  const {data} = viewer, s = () => viewer.state
  return {
    set: changes => viewer.set(changes),
    step: by => {
      const pair = viewer.beside(by)
      if (pair !== undefined) viewer.set({pair})
    },
    sort: changes => {
      const list = listed(data, {...s(), ...changes})
      const stay = !('order' in changes) && list.includes(s().pair)
      viewer.set({...changes, pair: stay || !list.length ? s().pair : list[0]})
    },
    swap: () => {
      const [one, other, ...rest] = s().arms
      if (other !== undefined) viewer.set({arms: [other, one, ...rest]})
    },
    add: () => {
      const left = data.arms.findIndex((_, arm) => !s().arms.includes(arm))
      if (left >= 0 && s().arms.length < 6) viewer.set({arms: [...s().arms, left]})
    },
    mode: by => viewer.set({mode: MODES[(MODES.indexOf(s().mode) + by + MODES.length) % MODES.length]}),
    turn: () => viewer.set({upright: !s().upright}),
    flip: () => {
      viewer.set({mode: 'flicker', auto: false})
      viewer.set({auto: false})
      viewer.flip()
    },
    auto: () => {
      const auto = s().mode !== 'flicker' || !s().auto
      viewer.set({mode: 'flicker'})
      viewer.set({auto})
    },
    amount: by => {
      const {mode, share, opacity, speed, gain} = s()
      if (mode === 'slider') viewer.set({share: between(share + by * 0.05, 0, 1)})
      if (mode === 'overlay') viewer.set({opacity: between(Math.round((opacity + by * 0.05) * 100) / 100, 0, 1)})
      if (mode === 'flicker') viewer.set({speed: between(speed + by * 0.5, 0.5, 4)})
      if (mode === 'difference') viewer.set({gain: between(by > 0 ? gain * 2 : gain / 2, 1, 32)})
    },
    largest: () => {
      viewer.set({mode: 'difference'})
      const found = viewer.measured()
      if (!found || !found.largest) return
      const zoom = Math.max(viewer.view().zoom, 8, 2 * viewer.plan.fit)
      viewer.set({zoom, x: (found.x + 0.5) / found.width, y: (found.y + 0.5) / found.height})
    },
    zoom: by => {
      const now = viewer.view().zoom, steps = by > 0 ? STEPS : [...STEPS].reverse()
      const next = steps.find(step => by > 0 ? step > now * 1.01 : step < now / 1.01)
      if (next) viewer.zoomTo(next)
    },
    fit: () => viewer.set({zoom: null, x: 0.5, y: 0.5}),
    pixel: () => viewer.zoomTo(1),
    full: () => document.fullscreenElement ? document.exitFullscreen() : viewer.root.requestFullscreen?.(),
    help: () => viewer.p.help.showModal(),
  }
}

/** What fingers, mouse and wheel do. */
function touched(viewer) {
  const s = () => viewer.state
  const along = point => {
    const {area} = viewer, [x, y] = [point.x, point.y].map(length => length * devicePixelRatio)
    return s().upright ? (x - area.x) / area.w : (y - area.y) / area.h
  }
  const atFit = () => s().zoom === null || s().zoom <= viewer.plan.fit
  return {
    atFit,
    zoomBy: (factor, point) => {
      const now = viewer.view().zoom, least = Math.min(viewer.plan.fit, now)
      viewer.zoomTo(Math.max(now * factor, least), point)
    },
    panBy: (dx, dy) => viewer.panTo(dx, dy),
    slides: point => {
      const {area} = viewer, length = (s().upright ? area.w : area.h) / devicePixelRatio
      return s().mode === 'slider' && (atFit() || Math.abs(along(point) - s().share) * length < LINE)
    },
    slideTo: point => viewer.set({share: between(along(point), 0, 1)}),
    toggle: point => viewer.state.zoom === null
      ? viewer.zoomTo(viewer.plan.fit < 1 ? 1 : viewer.plan.fit * 2, point) : viewer.does.fit(),
  }
}

/** Do what a key asks for, where it is meant for the viewer. */
function pressed(viewer, event) {
  const {root, does, p, state} = viewer, {target, key} = event
  const mine = root.contains(target) || (viewer.alone && target === document.body)
  if (!mine || p.help.open || event.ctrlKey || event.metaKey || event.altKey) return
  if (target.matches('select, input[type=search]')) return
  if (target.matches('input') && /^(Arrow|Page|Home|End)/.test(key)) return
  if (target.matches('button') && (key === ' ' || key === 'Enter')) return
  const arrows = {ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}
  const keys = {
    m: () => does.mode(event.shiftKey ? -1 : 1), c: does.swap, ' ': does.flip, a: does.auto, h: does.turn,
    l: does.largest, z: does.fit, x: does.pixel, f: does.full, '?': does.help, '[': () => does.amount(-1),
    ']': () => does.amount(1), '+': () => does.zoom(1), '=': () => does.zoom(1), '-': () => does.zoom(-1),
  }
  if (!event.shiftKey) {
    Object.assign(keys, {ArrowLeft: () => does.step(-1), ArrowRight: () => does.step(1)})
  } else if (arrows[key]) {
    keys[key] = () => viewer.panTo(...arrows[key].map(by => by * 60))
  }
  if (/^[1-6]$/.test(key) && Number(key) <= viewer.data.arms.length && state.arms.length > 1) {
    keys[key] = () => viewer.choose(1, Number(key) - 1)
  }
  if (viewer.data.blind && !(event.shiftKey && arrows[key]) && !'+=-z?'.includes(key.toLowerCase())) return
  const found = keys[key] ?? keys[key.toLowerCase()]
  if (!found) return
  event.preventDefault()
  found()
}
