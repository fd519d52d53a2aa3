// What the account pages share. A mailed link's token is in the fragment, which browsers keep to themselves, and
// it is spent by pressing the button only: mail scanners open links too.

const INCOMPLETE = 'This link is not complete. Open it from the mail again, or copy all of it.'
const UNREACHABLE = 'The server could not be reached. Check your connection and try again.'
const UNCLEAR = 'Something went wrong on our side. Please try again later.'
const PATIENCE_MS = 30_000

const form = document.querySelector('form')
const button = document.querySelector('button')
const outcome = document.querySelector('#outcome')
const field = document.querySelector('input[name]')
const shown = document.querySelector('#shown')
const needsToken = 'token' in form.dataset

function token() {
  return new URLSearchParams(location.hash.slice(1)).get('token') ?? ''
}

function say(kind, text) {
  outcome.dataset.kind = kind
  outcome.textContent = text
}

/** Also for a newer link that is opened in the same tab, which does not load the page again. */
function begin() {
  form.hidden = false
  button.disabled = needsToken && token() === ''
  if (button.disabled) say('problem', INCOMPLETE)
  else say('none', '')
}

/** Resolves to what went wrong, or to undefined. */
async function send() {
  const body = JSON.stringify({
    ...(needsToken && { token: token() }),
    ...(field && { [field.name]: field.value }),
  })
  let response
  try {
    response = await fetch(form.action, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
      // The token is all the proof it takes: whoever is signed in here has nothing to do with it.
      credentials: 'omit',
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
  } catch {
    return UNREACHABLE
  }
  if (response.ok) return undefined
  const answer = await response.json().catch(() => undefined)
  return typeof answer?.message === 'string' ? answer.message : UNCLEAR
}

async function submit(event) {
  event.preventDefault()
  if (form.getAttribute('aria-busy') === 'true') return
  form.setAttribute('aria-busy', 'true')
  say('none', 'One moment…')
  const problem = await send()
  form.removeAttribute('aria-busy')
  if (problem !== undefined) return say('problem', problem)

  form.reset()
  showPassword()
  form.hidden = true
  // A spent token is of no use in the history.
  history.replaceState(null, '', location.pathname)
  say('done', form.dataset.done)
  outcome.focus()
}

function showPassword() {
  if (shown) field.type = shown.checked ? 'text' : 'password'
}

form.addEventListener('submit', submit)
shown?.addEventListener('change', showPassword)
addEventListener('hashchange', begin)
begin()
