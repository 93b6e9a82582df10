// The pair in the address, so that a link opens it: #pair=2:17&arm=1&mode=slider&zoom=4

const MODES = ['side', 'slider', 'overlay', 'flicker', 'difference']
const OWN = /^#pair=/

/** Return the page's own address without what follows #: a page may have a base to which "#..." alone would lead. */
const here = () => location.href.split('#')[0]

/** Return what the address says, checked: whatever is not understood is left out. */
function read(hash, data) {
  if (!OWN.test(hash)) return {}
  const said = new URLSearchParams(hash.slice(1)), found = {}
  const number = (key, low, high) => {
    const value = said.has(key) ? Number(said.get(key)) : NaN
    return value >= low && value <= high ? value : undefined
  }
  const pair = data.pairs.findIndex(each => `${each.prompt}:${each.seed}` === said.get('pair'))
  if (pair >= 0) found.pair = pair
  const arms = (said.get('arms') ?? (said.has('arm') ? `0,${said.get('arm')}` : '')).split(',')
    .filter(text => /^\d+$/.test(text)).map(Number).filter(arm => arm < data.arms.length)
  if (new Set(arms).size === arms.length && arms.length >= 2 && arms.length <= 6) found.arms = arms
  if (MODES.includes(said.get('mode'))) found.mode = said.get('mode')
  found.zoom = number('zoom', 0.01, LARGEST)
  found.x = number('x', 0, 1)
  found.y = number('y', 0, 1)
  found.share = number('at', 0, 1)
  found.opacity = number('opacity', 0, 1)
  found.gain = [1, 2, 4, 8, 16, 32].find(gain => gain === number('gain', 1, 32))
  if (said.has('turned')) found.upright = false
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined))
}

/** Write the address of what is shown; what is as it begins is left out. */
function written(state, data, begin) {
  const {prompt, seed} = data.pairs[state.pair]
  const said = [`pair=${prompt}:${seed}`], round = value => String(Math.round(value * 1e4) / 1e4)
  if (state.arms.length === 2 && state.arms[0] === 0) said.push(`arm=${state.arms[1]}`)
  else if (state.arms.length > 1) said.push(`arms=${state.arms.join(',')}`)
  if (state.mode !== begin.mode) said.push(`mode=${state.mode}`)
  if (state.zoom !== null) said.push(`zoom=${round(state.zoom)}`, `x=${round(state.x)}`, `y=${round(state.y)}`)
  if (state.mode === 'slider' && state.share !== begin.share) said.push(`at=${round(state.share)}`)
  if (state.mode === 'slider' && !state.upright) said.push('turned')
  if (state.mode === 'overlay' && state.opacity !== begin.opacity) said.push(`opacity=${round(state.opacity)}`)
  if (state.mode === 'difference' && state.gain !== begin.gain) said.push(`gain=${state.gain}`)
  return `#${said.join('&')}`
}
