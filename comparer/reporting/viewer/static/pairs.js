// Which pairs there are to look at, in which order, and what they are called.

/** Return the positions of the pairs that an order and the filters leave. */
function listed(data, state) {
  const order = data.orders.find(each => each.name === state.order) ?? data.orders[0]
  // Orders are of an arm beside the baseline: of two arms, the one that is not.
  const arm = state.arms[1] || state.arms[0] || 0
  const words = state.prompt.toLowerCase().split(/\s+/).filter(Boolean)
  return order.arms[arm].filter(position => {
    const pair = data.pairs[position], text = data.prompts[pair.prompt].toLowerCase()
    return (state.seed === '' || String(pair.seed) === state.seed) && words.every(word => text.includes(word))
  })
}

const signed = value => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`

/** Say in a few words what a pair is and by what it was sorted. */
function titled(data, state, position) {
  const pair = data.pairs[position], arm = state.arms[1] || state.arms[0] || 0
  const [base, other] = [pair.shots[0], pair.shots[arm]], prompt = data.prompts[pair.prompt]
  const said = [`seed ${pair.seed}`]
  if (arm && base && other) {
    if (/score/.test(state.order) && base.clip !== null && other.clip !== null) {
      said.push(`${data.score} ${signed(other.clip - base.clip)}`)
    } else if (/alike/.test(state.order) && other.ssim !== null) said.push(`SSIM ${other.ssim.toFixed(3)}`)
  }
  said.push(prompt.length > 100 ? `${prompt.slice(0, 99)}…` : prompt)
  return said.join(' · ')
}

const seeds = data => [...new Set(data.pairs.map(pair => pair.seed))].sort((a, b) => a - b)
