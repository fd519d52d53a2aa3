import { configurationWarnings, type Env } from '../../lib/env.js'
import type { Variables } from '../dev/settings.js'
import { type Check, failure, ok, warning } from './check.js'

/** Values that `.env.example` shows, and hosts that nobody has (RFC 2606). */
const EXAMPLE = /\/\/user:password@|[@/.]example\.(com|net|org)\b/i

/** Variables that hold an address, in which an example's may have been left. */
const ADDRESSES = ['MONGO_URI', 'MONGODB_URI', 'SMTP_URL', 'APP_URL', 'APP_ORIGINS', 'MAIL_FROM'] as const

const HAS_ITS_OWN_LINE = /^(STRIPE_|SMTP_URL )/

/** What `npm run dev` makes where it is not set; without a deployment's database nothing but that needs it. */
const MADE_BY_DEV = /^(ADMIN_TOKEN|CRON_SECRET|AUTH_SECRET) is not set/

/** What the environment says of itself: that it is valid, and what it lacks. */
export function checkEnvironment(current: Env, variables: Variables): Check[] {
  const copied = ADDRESSES.filter(name => EXAMPLE.test(variables[name] ?? ''))
  const isDeployments = current.production || current.mongoUri !== undefined
  const others = configurationWarnings(current).filter(
    sentence => !HAS_ITS_OWN_LINE.test(sentence) && (isDeployments || !MADE_BY_DEV.test(sentence)),
  )
  const lacking = others.map(sentence => {
    const [, what = sentence, consequence = ''] = /^([^:]*): (.*)$/s.exec(sentence) ?? []
    return warning('environment', what, `${consequence} .env.example explains it`.trim())
  })
  return [
    ok('environment', `every variable is valid; ${current.production ? 'production' : 'development'}`),
    ...copied.map(name => failure(name, 'has the value of an example', 'set your own')),
    ...lacking,
  ]
}

/** Where our own pages are, which is what links in mails begin with, and which sites may use every project. */
export function checkOrigins({ appUrl, appOrigins, production }: Env): Check[] {
  const origins = [...new Set([appUrl, ...appOrigins])]
  const isLocal = (origin: string) => /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|$)/.test(origin)
  const local = origins.filter(isLocal)
  const plain = origins.filter(origin => origin.startsWith('http://') && !isLocal(origin))
  return [
    production && isLocal(appUrl)
      ? failure('origins', 'links in mails lead to the reader’s own machine', 'set APP_URL')
      : ok('origins', `links in mails lead to ${appUrl}`),
    ...(production && local.length > 0
      ? [warning('origins', 'pages on anybody’s own machine may use every project', 'mend APP_ORIGINS')]
      : []),
    ...plain.map(origin =>
      warning('origins', `${origin} is not encrypted`, 'use https in APP_ORIGINS and APP_URL'),
    ),
  ]
}

/** Stripe: the key, and the webhook without which nothing that is paid changes a plan. */
export function checkBilling(current: Env): Check[] {
  const { stripeSecretKey, stripeWebhookSecret, stripePrices, appUrl, production } = current
  if (!stripeSecretKey) return [ok('billing', 'is not configured: everybody has the free plan')]
  const isTest = /^.k_test_/.test(stripeSecretKey)
  const unsold = Object.entries(stripePrices).filter(([, prices]) => prices.length === 0)
  const endpoint = `${appUrl}/api/billing/webhook`
  return [
    production && isTest
      ? warning('billing', 'nobody pays: the key is one of test mode', 'set the live STRIPE_SECRET_KEY')
      : !production && !isTest
        ? warning(
            'billing',
            'real money: the key is a live one',
            'use one of test mode (sk_test_) outside production',
          )
        : ok('billing', isTest ? 'test mode' : 'live mode'),
    ...unsold.map(([plan]) =>
      warning('billing', `${plan} cannot be bought`, `set STRIPE_PRICE_${plan.toUpperCase()}`),
    ),
    !stripeWebhookSecret
      ? failure('webhook', 'what is paid changes no plan', 'set STRIPE_WEBHOOK_SECRET')
      : endpoint.startsWith('https://')
        ? ok('webhook', endpoint)
        : warning(
            'webhook',
            `Stripe reaches ${endpoint} only by its command line`,
            'set APP_URL to where this is deployed',
          ),
  ]
}

/** How mail goes out; whether the server lets us in is asked only with `--connect`. */
export function checkMail({ smtpUrl, mailFrom, production }: Env): Check[] {
  if (smtpUrl) return [ok('mail', `goes out over SMTP, from ${mailFrom}`)]
  return [
    production
      ? failure('mail', 'is not sent: nobody can verify an address or reset a password', 'set SMTP_URL')
      : ok('mail', 'is written to files of DATA_DIRECTORY'),
  ]
}
