// The viewer: what is shown, and what keys, buttons, fingers and the address do to it.

const BEGIN = {mode: 'side', zoom: null, x: 0.5, y: 0.5, share: 0.5, upright: true, opacity: 0.5, gain: 1, speed: 2,
  flipped: false, auto: false, prompt: '', seed: ''}
const LOW = 34, TALL = 52, NARROW = 300, GAP = 8 // CSS pixels: a caption of one line and of two, and when it has two

class Viewer {
  /** ``before``: the one that was on this page before, if any. */
  constructor(root, data, before) {
    Object.assign(this, {root, data, shown: [], turn: 0, last: {found: null}})
    Object.assign(this, {images: before?.images ?? new Images(), sheet: surface(1, 1)})
    this.colours = COLOURS
    this.alone = root.classList.contains('alone')
    this.state = {...BEGIN, order: data.order, arms: data.arm ? [0, data.arm] : [0], pair: 0}
    this.begin(before)
    this.does = actions(this)
    this.p = parts(root, data, this.does)
    new ResizeObserver(() => this.arrange()).observe(this.p.stage)
    gestures(this.p.stage, touched(this))
    this.listen()
    this.refresh()
    // What someone asked for belongs into the address, once the page has put its run there.
    if (data.asked) this.writing = setTimeout(() => this.write(), 300)
  }

  /**
   * Begin where the address says or the viewer before was. The address has a pair once someone chose what is seen: it
   * stays while more pictures come, and goes with its run.
   */
  begin(before) {
    const {data, state} = this, same = !before || before.data.run === data.run
    if (data.blind) return
    if (before) {
      const {order, prompt, seed, arms, pair, ...how} = before.state
      Object.assign(state, how)
      if (same && data.order === before.data.order) Object.assign(state, {order, prompt, seed})
    }
    state.pair = data.pair ?? listed(data, state)[0] ?? 0
    if (same && !data.asked) Object.assign(state, read(location.hash, data))
    else if (before && OWN.test(location.hash)) history.replaceState(history.state, '', here())
  }

  listen() {
    const each = (target, kind, does) => {
      const heard = event => {
        // Once it is gone, nothing may hold its pictures.
        if (this.root.isConnected) does(event)
        else target.removeEventListener(kind, heard)
      }
      target.addEventListener(kind, heard)
    }
    each(document, 'keydown', event => pressed(this, event))
    if (!this.data.blind) each(window, 'hashchange', () => this.set(read(location.hash, this.data)))
    each(window, 'resize', () => this.arrange())
    each(document, 'fullscreenchange', () => this.arrange())
    // After a click the keys are for the pictures again, not for what was clicked.
    each(this.root, 'click', event => {
      const clicked = event.detail > 0 && event.target.closest('.tools button, .pairs button:not(.opens)')
      if (clicked && !this.p.help.open) this.p.stage.focus({preventScroll: true})
    })
  }

  /** Change the state and show it. */
  set(changes) {
    const before = {...this.state}
    Object.assign(this.state, changes)
    if (changes.mode && changes.mode !== before.mode) {
      this.state.auto = changes.mode === 'flicker' && !matchMedia('(prefers-reduced-motion: reduce)').matches
      this.state.flipped = false
    }
    this.refresh(['pair', 'arms', 'mode'].some(key => this.state[key] !== before[key]))
    clearTimeout(this.writing)
    this.writing = setTimeout(() => this.write(), 150)
  }

  write() {
    if (!this.root.isConnected || this.data.blind || (location.hash && !OWN.test(location.hash))) return
    history.replaceState(history.state, '', here() + written(this.state, this.data, BEGIN))
  }

  /** The arms whose pictures are seen: all in side by side, else two. */
  get arms() {
    return this.state.mode === 'side' ? this.state.arms : this.state.arms.slice(0, 2)
  }

  refresh(whole = true) {
    const {arms, mode} = this.state // all modes but the first are of two arms
    if (arms.length < 2 || (mode === 'difference' && this.data.no_map)) this.state.mode = 'side'
    if (whole) this.load()
    controls(this)
    const pace = this.state.mode === 'flicker' && this.state.auto ? this.state.speed : 0
    if (pace !== this.pace) {
      clearInterval(this.timer)
      if (pace) this.timer = setInterval(() => this.flip(), 1000 / pace)
      this.pace = pace
    }
    this.arrange()
  }

  /** Put an arm at a place; the one that was there takes the arm's, where it had one. */
  choose(place, arm) {
    const arms = [...this.state.arms], was = arms.indexOf(arm)
    if (was >= 0) arms[was] = arms[place]
    arms[place] = arm
    this.set({arms})
  }

  async load() {
    const turn = ++this.turn, {p, state, data} = this
    p.stage.setAttribute('aria-busy', 'true')
    const shots = this.arms.map(arm => data.pairs[state.pair].shots[arm])
    const shown = await Promise.all(shots.map(shot => shot && this.images.get(shot.url).catch(() => null)))
    if (turn !== this.turn) return
    this.shown = shown
    labels(this)
    this.arrange()
    p.stage.setAttribute('aria-busy', 'false')
    const near = [-1, 1].map(by => data.pairs[this.beside(by)]).filter(Boolean)
    near.flatMap(pair => this.arms.map(arm => pair.shots[arm])).forEach(shot => {
      if (shot) this.images.get(shot.url).catch(() => null)
    })
  }

  get size() {
    const {width, height} = this.shown.find(Boolean) ?? this.data
    return {width, height}
  }

  /** Let the canvas begin and end between two pixels of the screen, so that none is smeared over several. */
  snap(height) {
    const {canvas, stage, inner} = this.p, scale = devicePixelRatio, unit = whole(scale)
    const at = stage.getBoundingClientRect(), top = at.top + scrollY, up = length => Math.ceil(length / unit) * unit
    const wide = Math.max(Math.floor(at.right / unit) * unit - up(at.left), unit)
    const size = {width: Math.round(wide * scale), height: Math.round(up((height ?? 0) / scale) * scale)}
    if (height === undefined) return size.width
    inner.style.margin = `${up(top) - top}px 0 0 ${up(at.left) - at.left}px`
    if (canvas.width !== size.width || canvas.height !== size.height) {
      Object.assign(canvas, size)
      Object.assign(canvas.style, {width: `${wide}px`, height: `${size.height / scale}px`})
    }
    return size.width
  }

  /** Lay the panes out for the room that there is, and draw. */
  arrange() {
    const {stage} = this.p, scale = devicePixelRatio, width = this.snap()
    const full = document.fullscreenElement === this.root
    const above = stage.getBoundingClientRect().top - this.root.getBoundingClientRect().top
    const within = this.data.blind ? innerHeight - 230 : innerHeight * 0.72 // a blind test's question and answers
    const room = full ? innerHeight - above - 8 : this.alone ? innerHeight - above - 72 : within
    const panes = this.state.mode === 'side' ? this.arms.length : 1
    const lay = band => layout(panes, this.size, width, Math.round(Math.max(room, 240) * scale),
      Math.round(band * scale), Math.round(GAP * scale))
    this.plan = lay(LOW)
    const narrow = this.plan.panes[0].w / scale < NARROW * (this.state.mode === 'side' ? 1 : 2)
    if (narrow) this.plan = lay(TALL)
    stage.classList.toggle('tall', narrow)
    this.snap(this.plan.height)
    placeLabels(this)
    this.draw()
  }

  /** The enlargement and the middle, in one for all panes. */
  view() {
    const {state, plan} = this, view = {zoom: state.zoom ?? plan.fit, x: state.x, y: state.y}
    kept(view, plan.panes[0], this.size)
    return view
  }

  draw() {
    const {state, plan, p, size} = this, [one, other] = this.shown, context = p.canvas.getContext('2d')
    const view = this.view(), pane = plan.panes[0], rect = placed(view, pane, size), area = seen(pane, rect)
    Object.assign(this, {rect, area})
    context.clearRect(0, 0, p.canvas.width, p.canvas.height)
    const part = (image, its) => paint(context, this.sheet, image, rect, pane, its, view.zoom)
    const whole = image => part(image, area)
    if (state.mode === 'side') {
      plan.panes.forEach((each, i) => {
        const its = placed(view, each, size)
        paint(context, this.sheet, this.shown[i], its, each, seen(each, its), view.zoom)
      })
    } else if (state.mode === 'slider') {
      const [first, second] = split(area, state.share, state.upright)
      part(one, first)
      part(other, second)
    } else if (state.mode === 'flicker') {
      whole(state.flipped ? other : one)
    } else if (state.mode === 'overlay') {
      whole(this.overlay(context, one, other, whole))
    } else {
      whole(this.map())
    }
    marks(this, view)
  }

  /** Lay the second picture over the first: exactly where their pixels may be read. */
  overlay(context, one, other, whole) {
    const both = this.both(), {opacity} = this.state
    if (both) {
      if (this.laid?.one !== one || this.laid.other !== other || this.laid.opacity !== opacity) {
        this.laid = {one, other, opacity, image: picture(mixed(...both, opacity))}
      }
      return this.laid.image
    }
    whole(one)
    context.globalAlpha = opacity
    whole(other)
    context.globalAlpha = 1
    return null
  }

  /** Return both pictures' pixels, or null: one is missing, they differ in size, or may not be read. */
  both() {
    const [one, other] = this.shown
    if (!one || !other || one.width !== other.width || one.height !== other.height) return null
    const both = [pixels(one), pixels(other)]
    return both.every(Boolean) ? both : null
  }

  /** Measure the difference once for each two pictures. */
  measured() {
    const [one, other] = this.shown
    if (this.last.one !== one || this.last.other !== other) {
      const both = this.both()
      this.last = {one, other, found: both && difference(...both)}
    }
    return this.last.found
  }

  map() {
    const found = this.measured(), {gain} = this.state
    if (found && (this.drawn?.found !== found || this.drawn.gain !== gain)) {
      this.drawn = {found, gain, image: picture(coloured(found, gain))}
    }
    return found && this.drawn.image
  }

  flip() {
    if (!this.root.isConnected) clearInterval(this.timer)
    this.state.flipped = !this.state.flipped
    labels(this)
    placeLabels(this)
    this.draw()
  }

  beside(by) {
    const list = listed(this.data, this.state), at = list.indexOf(this.state.pair)
    return at < 0 ? list[by > 0 ? 0 : list.length - 1] : list[at + by]
  }

  /** Enlarge about a point of the stage in CSS pixels, or about the middle. */
  zoomTo(zoom, point) {
    const {panes, fit} = this.plan, view = this.view(), scale = devicePixelRatio
    const at = point ? {x: point.x * scale, y: point.y * scale} : {x: panes[0].x + panes[0].w / 2, y: panes[0].y}
    const pane = panes.find(each => at.x <= each.x + each.w && at.y <= each.y + each.h) ?? panes[panes.length - 1]
    const from = point ? {x: at.x - pane.x - pane.w / 2, y: at.y - pane.y - pane.h / 2} : {x: 0, y: 0}
    const to = Math.min(Math.max(zoom, Math.min(fit, 1)), LARGEST)
    zoomed(view, to, this.size, from)
    kept(view, pane, this.size)
    this.set({zoom: Math.abs(to / fit - 1) < 1e-6 ? null : to, x: view.x, y: view.y})
  }

  panTo(dx, dy) {
    const view = this.view(), {width, height} = this.size, scale = devicePixelRatio / view.zoom
    Object.assign(view, {x: view.x - dx * scale / width, y: view.y - dy * scale / height})
    kept(view, this.plan.panes[0], this.size)
    this.set({x: view.x, y: view.y})
  }
}

/** Make a viewer of every element that holds the data of one, and of those that come later. */
function mount() {
  for (const root of document.querySelectorAll('.viewer:not([data-made])')) {
    root.dataset.made = ''
    const data = JSON.parse(root.querySelector('template').content.textContent)
    root.querySelector('noscript')?.remove()
    if (data.blind) root.viewer = new Viewer(root, data)
    else if (data.pairs.length) root.viewer = mount.before = new Viewer(root, data, mount.before)
    else root.append(make('p', {text: 'There is no picture yet.'}))
  }
}

// A page may bring this script along with each of its viewers: one watches for all.
if (!window.comparerViewers) {
  window.comparerViewers = true
  mount()
  new MutationObserver(mount).observe(document.body, {childList: true, subtree: true})
}
