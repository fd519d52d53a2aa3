import { html, type Markup } from './html.js'
import type { Message } from './message.js'

/** A message without its recipient. */
type MailContent = Omit<Message, 'to'>

/** Whom to greet, as they call themselves. */
interface Named {
  name?: string | undefined
}

/** A paragraph, or a link with what it is for. */
type Part = string | { label: string; link: string }

/** Asks the owner of an address to confirm it. */
export function verifyEmail({ name, link }: Named & { link: string }): MailContent {
  return content('Confirm your e-mail address', name, [
    'Welcome to Leadline. Please confirm that this is your e-mail address: open the link and press the button.',
    { label: 'Confirm my address', link },
    'The link works once, and not for ever: ask for a new one if it has expired.',
    'If you did not sign up, just ignore this mail.',
  ])
}

/** Lets the owner of an address choose a new password. */
export function resetPassword({ name, link }: Named & { link: string }): MailContent {
  return content('Choose a new password', name, [
    'Somebody, hopefully you, asked for a new password for your Leadline account.',
    { label: 'Choose a new password', link },
    'The link works once and expires soon. A new password signs you out everywhere.',
    'If it was not you, just ignore this mail: your password stays as it is.',
  ])
}

/**
 * Tells the owner of an account what its sign-up form must not tell anybody else: that the account exists.
 *
 * @param given without a link to sign in where nobody can before the address is proven, as it is by a new password.
 */
export function addressTaken(given: Named & { loginLink?: string; resetLink: string }): MailContent {
  const { name, loginLink, resetLink } = given
  const ways: Part[] = loginLink
    ? [
        'If it was you, you can simply sign in.',
        { label: 'Sign in', link: loginLink },
        'If you do not remember your password, you can choose a new one.',
      ]
    : ['If it was you, choose a new password: then you can sign in.']
  return content('You already have an account', name, [
    'Somebody tried to sign up for Leadline with your e-mail address. It already has an account.',
    ...ways,
    { label: 'Choose a new password', link: resetLink },
    'If it was not you, just ignore this mail: nothing was changed.',
  ])
}

/** Tells the owner of an account that its password is another one now. */
export function passwordChanged({ name }: Named): MailContent {
  return content('Your password was changed', name, [
    'The password of your Leadline account was changed just now, and every device was signed out.',
    'If it was you, there is nothing to do.',
    'If it was not you, ask for a new password on the sign-in page right away.',
  ])
}

/** How much of a month's plan is used, in figures for display. */
interface UsedPlan extends Named {
  calls: { used: number; limit: number | null }
  minutes: { used: number; limit: number | null }
  /** When the next month of the plan begins. */
  renewsAt: Date
  plansLink: string
}

/** Tells a user that most of the month's plan is used. */
export function usageWarning(given: UsedPlan): MailContent {
  return content('Most of your monthly plan is used', given.name, [
    `You have used ${usedOf(given)} of your Leadline plan for this month.`,
    `When it is used up, your agent takes no more calls until ${day(given.renewsAt)}, when the next month begins.`,
    'A bigger plan counts at once.',
    { label: 'See the plans', link: given.plansLink },
  ])
}

/** Tells a user that the month's plan is used up, and what follows. */
export function usageLimitReached(given: UsedPlan): MailContent {
  return content('Your monthly plan is used up', given.name, [
    `You have used ${usedOf(given)} of your Leadline plan for this month.`,
    `Your agent takes no more calls until ${day(given.renewsAt)}, when the next month begins.`,
    'With a bigger plan it takes calls again at once.',
    { label: 'See the plans', link: given.plansLink },
  ])
}

function usedOf({ calls, minutes }: UsedPlan): string {
  const parts = [
    ...(calls.limit === null ? [] : [`${calls.used} of ${calls.limit} calls`]),
    ...(minutes.limit === null ? [] : [`${minutes.used} of ${minutes.limit} minutes`]),
  ]
  return parts.join(' and ')
}

function day(date: Date): string {
  return new Intl.DateTimeFormat('en', { dateStyle: 'long', timeZone: 'UTC' }).format(date)
}

function content(subject: string, name: string | undefined, parts: readonly Part[]): MailContent {
  const called = presentable(name)
  const greeting = called ? `Hello ${called},` : 'Hello,'
  return { subject, text: asText(greeting, parts), html: asHtml(subject, greeting, parts).source }
}

const MAX_NAME_LENGTH = 60

/** What a mail program would make a link of, or a reader a telephone number. */
const LOOKS_LIKE_CONTACT = /[/\\@]|\.\p{L}{2}|\d{5}/u

/** Characters that are not seen but change what is; not the two joiners that names in Indic scripts need. */
const INVISIBLE = /[^\P{Cf}\u200C\u200D]/gu

/**
 * A name as it can be greeted by, in one line. Anybody can sign up with anybody's address, and the name is
 * theirs to choose: one that could be an advertisement is left out.
 */
function presentable(name = ''): string {
  const oneLine = name
    .replace(INVISIBLE, '')
    .replace(/[\p{Cc}\p{Z}]+/gu, ' ')
    .trim()
  // As a mail program may read it: a full-width dot is a dot, and a joiner is nothing.
  const folded = oneLine.normalize('NFKC').replace(/\p{Cf}/gu, '')
  return oneLine.length > MAX_NAME_LENGTH || LOOKS_LIKE_CONTACT.test(folded) ? '' : oneLine
}

const SIGNATURE = 'Leadline'

function asText(greeting: string, parts: readonly Part[]): string {
  const paragraphs = parts.map(part => (typeof part === 'string' ? part : `${part.label}:\n${part.link}`))
  return `${[greeting, ...paragraphs, SIGNATURE].join('\n\n')}\n`
}

// Mail programs know little CSS, and most of them only in `style` attributes.
function asHtml(subject: string, greeting: string, parts: readonly Part[]): Markup {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${subject}</title>
</head>
<body style="margin:0;padding:24px 16px;background:#f4f5f7;color:#1c2330">
<div style="max-width:480px;margin:0 auto;padding:24px;background:#ffffff;border-radius:8px;font:16px/1.5 sans-serif">
<p style="margin:0 0 16px">${greeting}</p>
${parts.map(partAsHtml)}
<p style="margin:24px 0 0;color:#5b6577">${SIGNATURE}</p>
</div>
</body>
</html>
`
}

function partAsHtml(part: Part): Markup {
  if (typeof part === 'string') return html`<p style="margin:0 0 16px">${part}</p>\n`
  const { label, link } = part
  return html`<p style="margin:0 0 8px"><a href="${link}" style="display:inline-block;padding:12px 20px;background:#2563eb;color:#ffffff;border-radius:6px;text-decoration:none">${label}</a></p>
<p style="margin:0 0 16px;font-size:13px;color:#5b6577;word-break:break-all">${link}</p>\n`
}
