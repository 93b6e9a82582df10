// Wheel, drag, pinch and double click on the stage.

/**
 * Tell a target of what fingers, mouse and wheel do: zoomBy(factor, point), panBy(dx, dy), slideTo(point),
 * slides(point), atFit() and toggle(point). Points are CSS pixels in the stage.
 */
function gestures(stage, target) {
  const down = new Map()
  let before = null, sliding = false, elsewhere = -Infinity

  const at = event => {
    const box = stage.firstElementChild.getBoundingClientRect()
    return {x: event.clientX - box.left, y: event.clientY - box.top}
  }
  const spread = () => {
    const [one, other] = [...down.values()]
    return {x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, far: Math.hypot(one.x - other.x, one.y - other.y)}
  }

  stage.addEventListener('pointerdown', event => {
    if (event.button || event.target.closest('button, select, a, input')) return
    down.set(event.pointerId, at(event))
    stage.setPointerCapture(event.pointerId)
    sliding = down.size === 1 && target.slides(at(event))
    if (sliding) target.slideTo(at(event))
    before = down.size === 2 ? spread() : null
  })
  stage.addEventListener('pointermove', event => {
    const last = down.get(event.pointerId), now = at(event)
    if (!last) return
    down.set(event.pointerId, now)
    if (down.size === 2) {
      const after = spread()
      target.panBy(after.x - before.x, after.y - before.y)
      if (before.far > 0 && after.far > 0) target.zoomBy(after.far / before.far, after)
      before = after
    } else if (sliding) {
      target.slideTo(now)
    } else if (down.size === 1) {
      target.panBy(now.x - last.x, now.y - last.y)
    }
  })
  for (const kind of ['pointerup', 'pointercancel', 'lostpointercapture']) {
    stage.addEventListener(kind, event => {
      down.delete(event.pointerId)
      sliding = sliding && down.size > 0
    })
  }

  // A page that is being scrolled goes on scrolling when the stage comes under the mouse.
  const root = stage.closest('.viewer')
  document.addEventListener('wheel', event => {
    if (!root.contains(event.target)) elsewhere = event.timeStamp
  }, {passive: true})
  stage.addEventListener('wheel', event => {
    const lines = event.deltaMode === 1 ? 16 : 1, out = event.deltaY > 0
    if (event.timeStamp - elsewhere < 250) {
      elsewhere = event.timeStamp
      return
    }
    if (!event.ctrlKey && out && target.atFit()) return
    event.preventDefault()
    const speed = event.ctrlKey ? 0.01 : 0.0022
    target.zoomBy(Math.exp(-event.deltaY * lines * speed), at(event))
  }, {passive: false})
  stage.addEventListener('dblclick', event => {
    if (!event.target.closest('button, select, a, input')) target.toggle(at(event))
  })
}
