// What the hands do in a blind test: every vote goes to the server, and the next pair comes back.
const KEYS = {a: 'a', arrowleft: 'a', b: 'b', arrowright: 'b', t: 'tie', x: 'bad'}
const judging = () => element.querySelector('.judging')
let address = ''

const vote = choice => {
  // Nobody votes on what is not drawn yet.
  if (element.querySelector('.stage')?.getAttribute('aria-busy') !== 'false') return
  trigger('click', {act: 'vote', vote: choice, number: Number(judging().dataset.number)})
}
element.addEventListener('click', event => {
  const pressed = event.target.closest('[data-act], [data-vote]')
  if (!pressed) return
  if (pressed.dataset.vote) vote(pressed.dataset.vote)
  else trigger('click', {act: pressed.dataset.act, seed: element.querySelector('.seed')?.value})
})
element.addEventListener('keydown', event => {
  if (event.key === 'Enter' && event.target.matches('.seed')) element.querySelector('[data-act=begin]').click()
})
document.addEventListener('keydown', event => {
  if (!element.isConnected || !judging() || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return
  if (event.shiftKey || element.querySelector('dialog[open]')) return
  const choice = KEYS[event.key.toLowerCase()]
  if (!choice) return
  event.preventDefault()
  vote(choice)
})
watch('value', () => {
  // The address may name a pair: it is put aside, and comes back with everything else.
  if (judging() && location.hash) {
    address = location.hash
    history.replaceState(history.state, '', location.href.split('#')[0])
  } else if (!judging() && address) {
    history.replaceState(history.state, '', location.href.split('#')[0] + address)
    address = ''
  }
  requestAnimationFrame(() => {
    const focused = element.querySelector('.judging .stage, .verdict')
    focused?.focus({preventScroll: true})
    if (focused) element.scrollIntoView({block: 'start', behavior: 'instant'})
  })
})
