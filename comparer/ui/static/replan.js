() => {
  // Components that one answer changes report it one after the other: wait until the page is at rest.
  const press = () => document.querySelector('#replan').click()
  clearTimeout(window.comparerReplan)
  window.comparerReplan = setTimeout(() => window.requestIdleCallback ? requestIdleCallback(press, {timeout: 1000}) : press(), 150)
}
