import { describe, expect, it } from 'vitest'
import { html } from '../../lib/mail/html.js'
import {
  addressTaken,
  passwordChanged,
  resetPassword,
  usageLimitReached,
  usageWarning,
  verifyEmail,
} from '../../lib/mail/templates.js'

const link = 'https://leadline.example/account/verify-email.html#token=abc&x="y"'

const usedPlan = {
  calls: { used: 8, limit: 10 },
  minutes: { used: 12.5, limit: 30 },
  renewsAt: new Date('2026-12-01T00:00:00Z'),
  plansLink: link,
}

const templates = {
  verifyEmail: (name?: string) => verifyEmail({ name, link }),
  resetPassword: (name?: string) => resetPassword({ name, link }),
  addressTaken: (name?: string) => addressTaken({ name, loginLink: link, resetLink: link }),
  addressTakenByUnproven: (name?: string) => addressTaken({ name, resetLink: link }),
  passwordChanged: (name?: string) => passwordChanged({ name }),
  usageWarning: (name?: string) => usageWarning({ name, ...usedPlan }),
  usageLimitReached: (name?: string) => usageLimitReached({ name, ...usedPlan }),
}

function greetingOf(name?: string): string | undefined {
  return verifyEmail({ name, link }).text.split('\n', 1)[0]
}

describe.each(Object.entries(templates))('%s', (_, template) => {
  it('says the same in text and in HTML', () => {
    const { text, html: markup } = template('Asha')

    const shown = markup
      .replace(/^[\s\S]*<body/, '<body')
      .replace(/<[^>]*>/g, '\n')
      .replace(/&quot;/g, '"')
      .replace(/&amp;/g, '&')
    for (const line of text.split('\n').filter(line => line !== ''))
      expect(shown).toContain(line.replace(/:$/, ''))
  })

  it('escapes a name that is markup', () => {
    const { text, html: markup } = template('Eve & <b title="x">\'Co')

    expect(text).toContain(`Hello Eve & <b title="x">'Co,`)
    expect(markup).toContain('Hello Eve &amp; &lt;b title=&quot;x&quot;&gt;&#39;Co,')
    expect(markup).not.toContain('<b ')
  })

  it('loads nothing from anywhere', () => {
    expect(template('Asha').html).not.toMatch(/<(img|link|script|iframe|style)|url\(|@import/i)
  })

  it('has a subject of one line that no name gets into', () => {
    expect(template('Asha\r\nBcc: victim@example.com').subject).toBe(template().subject)
    expect(template().subject).toMatch(/^[\x20-\x7e]{5,60}$/)
  })
})

describe('a link', () => {
  it('is in the text as it is, and in the HTML as an attribute and to copy', () => {
    const { text, html: markup } = resetPassword({ link })

    expect(text).toContain(`\n${link}\n`)
    const escaped = link.replace('&', '&amp;').replaceAll('"', '&quot;')
    expect(markup).toContain(`href="${escaped}"`)
    expect(markup).toContain(`>${escaped}</p>`)
  })
})

describe('what is used', () => {
  it('is said of calls and minutes, with the day that the next month begins', () => {
    expect(usageLimitReached(usedPlan).text).toContain('8 of 10 calls and 12.5 of 30 minutes')
    expect(usageWarning(usedPlan).text).toContain('December 1, 2026')
  })

  it('is not said of what has no limit', () => {
    const { text } = usageWarning({ ...usedPlan, calls: { used: 8, limit: null } })

    expect(text).toContain('used 12.5 of 30 minutes')
    expect(text).not.toContain('calls of')
  })
})

describe('the greeting', () => {
  it.each([
    ['Asha', 'Hello Asha,'],
    ['Mr. J.R. O’Neill-Smith, 3rd', 'Hello Mr. J.R. O’Neill-Smith, 3rd,'],
    // A zero-width joiner is part of how names are written in Malayalam.
    ['മോഹൻ ന്\u200Dദാസ്', 'Hello മോഹൻ ന്\u200Dദാസ്,'],
    [undefined, 'Hello,'],
    ['  ', 'Hello,'],
  ])('of %j is %j', (name, greeting) => {
    expect(greetingOf(name)).toBe(greeting)
  })

  it('is one line, whatever is in the name', () => {
    expect(greetingOf('Asha\r\nRao\u0000\u0007\u2028X\u0085Y\tZ')).toBe('Hello Asha Rao X Y Z,')
  })

  it('has no characters that are not seen', () => {
    expect(greetingOf('\u202Eahs\u2066A\u200B\uFEFF')).toBe('Hello ahsA,')
  })

  it.each([
    'Win at https://evil.example',
    'evil.example',
    'evil．example',
    'evil.\u200Dexample',
    'e\u00ADvil.ex',
    'mail me@evil',
    'call 0090 5551234',
    'x'.repeat(61),
  ])('leaves out a name that could be an advertisement: %j', name => {
    expect(greetingOf(name)).toBe('Hello,')
  })
})

describe('markup', () => {
  it('is escaped once, and never again', () => {
    const inner = html`<i>${'<&'}</i>`

    expect(html`<p title="${`"'`}">${inner}${[inner, inner]}</p>`.source).toBe(
      '<p title="&quot;&#39;"><i>&lt;&amp;</i><i>&lt;&amp;</i><i>&lt;&amp;</i></p>',
    )
  })
})
