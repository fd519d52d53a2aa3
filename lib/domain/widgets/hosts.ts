/**
 * The host name of an origin, a URL or a bare domain in the one form in which domains are stored and compared:
 * lower case, in ASCII, without scheme, `www.`, port, path or trailing dot. Empty where there is none: a page
 * without an origin of its own (a sandboxed frame, a local file) sends `null`.
 */
export function hostOf(text: string): string {
  if (text === 'null') return ''
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`
  const host = URL.canParse(url) ? new URL(url).hostname : ''
  return host
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^www\./, '')
}
