/**
 * The passwords of 8 characters and more that lead every published list of leaked ones; shorter ones are refused
 * anyway.
 */
export const COMMON_PASSWORDS: ReadonlySet<string> = new Set(
  `12345678 123456789 1234567890 12345678910 123123123 11111111 00000000 87654321 987654321 0987654321 88888888 66666666
  99999999 12341234 11223344 1122334455 123321123 147258369 159753456 789456123 741852963 1q2w3e4r 1q2w3e4r5t 1qaz2wsx
  qazwsxedc q1w2e3r4 q1w2e3r4t5 zaq12wsx zaq1zaq1 qwertyui qwertyuiop qwerty12 qwerty123 qwerty1234 qwerty12345 qwe123qwe
  asdfghjkl asdf1234 asdfasdf zxcvbnm123 zxcvbnm1 abcd1234 abc12345 abcdefgh abcdefg1 abcdef123 aa123456 a1234567 a12345678
  a123456789 aaaaaaaa password password1 password12 password123 password1234 password! passw0rd p@ssword p@ssw0rd
  p@55w0rd pass1234 pass12345 pa55word mypassword newpassword changeme changeme1 letmein1 letmein123 welcome1 welcome123
  iloveyou iloveyou1 iloveyou2 sunshine sunshine1 princess princess1 football football1 baseball baseball1 basketball
  superman superman1 batman123 spiderman starwars pokemon1 pokemon123 dragon123 monkey123 shadow123 master123 michael1
  jennifer michelle jessica1 charlie1 jordan23 computer internet whatever trustno1 security samsung1 google123 facebook
  facebook1 linkedin admin123 admin1234 admin12345 administrator root1234 test1234 testtest testing123 guest123 user1234
  default1 hello123 hello1234 india123 india@123 krishna1 cricket1 mumbai123 bismillah liverpool liverpool1 chelsea1
  arsenal1 barcelona realmadrid manchester november december september october1 january1 february summer2024 summer2025
  winter2024 winter2025 spring2025 autumn2025 qwertyuiop123 1234qwer qwer1234 12qwaszx 1a2b3c4d 123qwe123 123456qwe
  123456abc 123456aa 1234abcd iloveu123 lovelove loveyou1 butterfly chocolate elephant blink182 babygirl babygirl1
  naruto123 minecraft fortnite`.split(/\s+/),
)
