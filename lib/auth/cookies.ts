/** `__Host-`: a browser takes it only over HTTPS, for this host alone and for all its paths (RFC 6265bis). */
export const ACCESS_COOKIE = '__Host-leadline'
/** Sent to the one route that takes it. */
export const REFRESH_COOKIE = '__Secure-leadline-refresh'

const REFRESH_PATH = '/api/auth/refresh'
const REFRESH_LIFE_SECONDS = 30 * 24 * 60 * 60

/** The cookies of a browser session: out of reach of scripts, and of other sites. */
export function sessionCookies(tokens: { token: string; expiresIn: number; refreshToken: string }): string[] {
  return [
    cookie(ACCESS_COOKIE, tokens.token, '/', tokens.expiresIn),
    cookie(REFRESH_COOKIE, tokens.refreshToken, REFRESH_PATH, REFRESH_LIFE_SECONDS),
  ]
}

/** What takes them away again. */
export function clearedCookies(): string[] {
  return [cookie(ACCESS_COOKIE, '', '/', 0), cookie(REFRESH_COOKIE, '', REFRESH_PATH, 0)]
}

/** The value of a cookie of the request. */
export function readCookie(request: Request, name: string): string | undefined {
  const pairs = (request.headers.get('cookie') ?? '').split(/;\s*/)
  return pairs.find(pair => pair.startsWith(`${name}=`))?.slice(name.length + 1) || undefined
}

function cookie(name: string, value: string, path: string, maxAgeSeconds: number): string {
  return `${name}=${value}; Path=${path}; Max-Age=${maxAgeSeconds}; HttpOnly; Secure; SameSite=Strict`
}
