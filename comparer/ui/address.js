said => {
  // The server's word for what is shown, in the address; whatever else stands there, as ?__theme=dark, stays.
  const url = new URL(location), now = new URLSearchParams(said)
  for (const key of ['run', 'pair', 'arm']) {
    url.searchParams.delete(key)
    if (now.has(key)) url.searchParams.set(key, now.get(key))
  }
  url.search = url.search.replaceAll('%3A', ':').replaceAll('%2F', '/')
  // What the viewer wrote stays, for the pair that is shown now; of another run nothing does.
  const own = /^#pair=/.test(url.hash), before = new URLSearchParams(location.search).get('run')
  const opened = own && !window.comparerArrived && before === now.get('run')
  if (own && before !== now.get('run')) url.hash = ''
  else if (own && !opened) {
    const kept = new URLSearchParams(url.hash.slice(1))
    kept.delete('arms')
    kept.set('pair', now.get('pair'))
    kept.set('arm', now.get('arm'))
    url.hash = kept.toString().replaceAll('%3A', ':').replaceAll('=&', '&').replace(/=$/, '')
  }
  window.comparerArrived = true
  history.replaceState(history.state, '', url)
  if (!opened) return
  // The link was made in the viewer: open it, as soon as its tab is there.
  let tries = 50
  const wait = setInterval(() => {
    const tab = document.querySelector('#views button[data-tab-id=compare]')
    if (tab?.offsetParent) tab.click()
    if (tab?.offsetParent || !tries--) clearInterval(wait)
  }, 100)
}
