import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, describe, expect, it, vi } from 'vitest'

const root = join(import.meta.dirname, '../..')
const pages = ['verify-email', 'reset-password', 'forgot-password']

describe.each(pages)('the page %s', page => {
  const source = readFileSync(join(root, `public/account/${page}.html`), 'utf8')
  const attribute = (name: string) =>
    [...source.matchAll(new RegExp(` ${name}="([^"]*)"`, 'g'))].map(([, value]) => value)

  it('has nothing inline, since its policy forbids it', () => {
    expect(source).toMatch(/http-equiv="Content-Security-Policy" content="default-src 'none'; /)
    expect(source).not.toMatch(/unsafe|<style| style=| on\w+=|<script(?! type="module" src=)|="javascript:/i)
  })

  it('loads what is there, from nowhere else', () => {
    for (const path of [...attribute('src'), ...attribute('href')].filter(path => path !== '/icon.svg'))
      expect(existsSync(join(root, 'public', path ?? '')), path).toBe(true)
  })

  it('sends a token where it is behind a mailed link', () => {
    expect(source.includes(' data-token ')).toBe(page !== 'forgot-password')
  })

  it('posts to a route of ours, and never puts a password into an address', () => {
    expect(attribute('action')).toEqual([`/api/auth/${page}`])
    expect(attribute('method')).toEqual(['post'])
    expect(existsSync(join(root, `api/auth/${page}.ts`))).toBe(true)
    // Enabled by the script: without it, the browser would send the form itself.
    expect(source).toMatch(/<button type="submit" disabled>/)
  })
})

/** As much of an element as the script of the pages uses. */
class FakeElement extends EventTarget {
  action = '/api/auth/reset-password'
  checked = false
  dataset: Record<string, string> = { done: 'Done.', token: '' }
  disabled = true
  hidden = false
  name = 'password'
  textContent = ''
  type = 'password'
  value = ''
  readonly focus = vi.fn()
  #attributes = new Map<string, string>()

  getAttribute(name: string) {
    return this.#attributes.get(name) ?? null
  }
  setAttribute(name: string, value: string) {
    this.#attributes.set(name, value)
  }
  removeAttribute(name: string) {
    this.#attributes.delete(name)
  }
  reset() {}
}

describe('the script of the pages', () => {
  const server = vi.fn<typeof fetch>()
  const replaceState = vi.fn()
  let browser: EventTarget
  let location: { hash: string; pathname: string }
  let elements: Record<'form' | 'button' | '#outcome' | 'input[name]' | '#shown', FakeElement>

  async function load(hash: string) {
    location = { hash, pathname: '/account/reset-password.html' }
    browser = new EventTarget()
    vi.stubGlobal('location', location)
    vi.stubGlobal('history', { replaceState })
    vi.stubGlobal('fetch', server)
    vi.stubGlobal('addEventListener', browser.addEventListener.bind(browser))
    const found: Record<string, FakeElement> = elements
    vi.stubGlobal('document', { querySelector: (selector: string) => found[selector] ?? null })
    vi.resetModules()
    await import(pathToFileURL(join(root, 'public/account/account.js')).href)
  }

  async function press(): Promise<Event> {
    const submit = new Event('submit', { cancelable: true })
    elements.form.dispatchEvent(submit)
    await vi.waitFor(() => expect(elements.form.getAttribute('aria-busy')).toBeNull(), 10_000)
    return submit
  }

  const shown = () => [elements['#outcome'].dataset.kind, elements['#outcome'].textContent]

  beforeEach(() => {
    server.mockReset().mockImplementation(async () => Response.json({ success: true, data: null }))
    replaceState.mockReset()
    elements = {
      form: new FakeElement(),
      button: new FakeElement(),
      '#outcome': new FakeElement(),
      'input[name]': new FakeElement(),
      '#shown': new FakeElement(),
    }
  })

  it('sends nothing by itself', async () => {
    await load('#token=abc')

    expect(elements.button.disabled).toBe(false)
    expect(server).not.toHaveBeenCalled()
  })

  it('sends token and password when the button is pressed, without cookies, and forgets the token', async () => {
    await load('#token=ab_c-1')
    elements['input[name]'].value = 'correct horse'

    const submit = await press()

    expect(submit.defaultPrevented).toBe(true)
    expect(server).toHaveBeenCalledOnce()
    const [url, request] = server.mock.calls[0] ?? []
    expect(url).toBe('/api/auth/reset-password')
    expect(request).toMatchObject({
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      credentials: 'omit',
    })
    expect(JSON.parse(String(request?.body))).toEqual({ token: 'ab_c-1', password: 'correct horse' })
    expect(shown()).toEqual(['done', 'Done.'])
    expect(elements.form.hidden).toBe(true)
    expect(replaceState).toHaveBeenCalledWith(null, '', '/account/reset-password.html')
  })

  it.each(['', '#', '#token=', '#other=abc'])('says that a link is not complete: %j', async hash => {
    await load(hash)

    expect(shown()).toEqual(['problem', expect.stringContaining('not complete')])
    expect(elements.button.disabled).toBe(true)
  })

  it('takes a newer link that is opened in the same tab', async () => {
    await load('#token=old')
    await press()
    location.hash = '#token=new'
    browser.dispatchEvent(new Event('hashchange'))
    expect(elements.form.hidden).toBe(false)

    await press()

    expect(JSON.parse(String(server.mock.lastCall?.[1]?.body))).toMatchObject({ token: 'new' })
  })

  it.each([
    [
      'what the server says',
      () => Response.json({ message: 'This link has expired.' }, { status: 400 }),
      /^This link has expired\.$/,
    ],
    ['that the server failed', () => new Response('<html>', { status: 502 }), /our side/],
    ['that there is no connection', () => Promise.reject(new TypeError('fetch failed')), /connection/],
  ])('shows %s, and lets the button be pressed again', async (_, answer, sentence) => {
    await load('#token=abc')
    server.mockImplementationOnce(async () => answer())

    await press()
    expect(shown()).toEqual(['problem', expect.stringMatching(sentence)])
    expect(elements.form.hidden).toBe(false)
    expect(replaceState).not.toHaveBeenCalled()

    await press()
    expect(shown()).toEqual(['done', 'Done.'])
  })

  it('needs no token on a page that is not behind a link', async () => {
    delete elements.form.dataset.token
    elements['input[name]'].name = 'email'
    elements['input[name]'].value = 'asha@example.com'
    await load('')
    expect(elements.button.disabled).toBe(false)

    await press()

    expect(JSON.parse(String(server.mock.lastCall?.[1]?.body))).toEqual({ email: 'asha@example.com' })
    expect(shown()).toEqual(['done', 'Done.'])
  })

  it('sends once, however often the button is pressed meanwhile', async () => {
    await load('#token=abc')

    for (let i = 0; i < 5; i++) elements.form.dispatchEvent(new Event('submit', { cancelable: true }))
    await press()

    expect(server).toHaveBeenCalledOnce()
  })
})
